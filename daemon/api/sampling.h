// From a checked body to what the engine and the stream need: sampling values with the server's defaults, output
// limits, stop strings, logprobs. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/api/api.h"
#include "daemon/api/errors.h"
#include "daemon/api/fields.h"
#include "daemon/api/repetition.h"
#include "engine/base/json.h"
#include "engine/request.h"
#include "engine/text/tokenizer.h"

namespace seraph {

/// What a generation request asked for, apart from its prompts.
struct GenerationParams {
  SamplingParams sampling;            // of choice 0; tokens_max is set per prompt
  std::optional<int64_t> max_tokens;  // as asked, validated against the context; absent: as much as fits
  int64_t max_tokens_cap = 0;         // --override-generation-config max_new_tokens; 0: none
  bool seeded = false;                // choice i then uses seed + i, else each draws its own
  int32_t n = 1;
  int32_t best_of = 1;          // sequences a prompt, of which the n most likely are shown; n: no choice is made
  bool beam_search = false;     // n beams
  double length_penalty = 1.0;  // of beams
  bool early_stopping = false;  // of beams
  std::vector<std::string> stop;
  bool include_stop = false;
  bool skip_special_tokens = true;
  bool stream = false;
  bool include_usage = false;
  bool continuous_usage = false;
  int32_t stream_interval = 1;  // tokens per event after the first
  bool whole_events = false;    // streams: an event a choice, since none is known before all are done
  bool echo = false;
  bool echo_only = false;      // completions with max_tokens 0: the prompt comes back, nothing else
  bool logprobs = false;       // the answer has a logprobs object
  int32_t top_logprobs = 0;    // entries beside the chosen token
  bool tokens_as_ids = false;  // "token_id:123" instead of the token's text
  bool return_token_ids = false;
  bool return_prompt_text = false;
  int32_t priority = 0;
  std::string cache_salt;
  RepetitionRule repetition;
  std::optional<int32_t> thinking_tokens_max;  // absent: as long as it likes
};

struct SamplingLimits {
  int32_t vocab_size = 0;
  int32_t max_model_len = 0;
  const Tokenizer* tokenizer = nullptr;   // of bad_words
  std::span<const TokenId> eos_ids = {};  // end answers, and cannot be drawn before min_tokens
};

/// Errors: 400 in vLLM's words.
std::optional<ApiError> read_params(const Json& body, Endpoint endpoint, const ApiOptions& options,
                                    const SamplingLimits& limits, GenerationParams& out);

/// The output limit for a prompt of that many tokens. Errors: the prompt does not fit, or leaves no room.
std::optional<ApiError> plan_tokens_max(const GenerationParams& params, int64_t prompt_tokens, int64_t max_model_len,
                                        int32_t& tokens_max);

}  // namespace seraph
