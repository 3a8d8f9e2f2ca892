// What crosses between the loop thread and the engine thread. A Request is built on the loop, is
// immutable once submitted and then owned by the engine; Events travel back. The two sides share
// nothing else. One Request is one sequence: `n` choices and prompt batches are several Requests.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/shared_list.h"

namespace seraph {

struct AdapterWeights;  // engine/model/adapter.h
struct Constraint;      // engine/grammar/constraint.h

using RequestId = uint64_t;  // chosen by the loop, unique for the life of the process, never 0
using TokenId = int32_t;

/// How the next token is chosen. The API has already validated ranges and applied the checkpoint's
/// defaults; the engine trusts these values. Meaning and order of application are vLLM's:
/// allowed ids, banned ids, min_tokens, logit_bias, repetition, frequency, presence, temperature, min_p, top_k, top_p.
struct SamplingParams {
  float temperature = 1.0F;                               // below 1e-5: greedy, and top_k, top_p, min_p are off
  float top_p = 1.0F;                                     // (0, 1]
  float min_p = 0.0F;                                     // [0, 1]
  int32_t top_k = 0;                                      // <= 0 or >= vocabulary: off
  float presence_penalty = 0.0F;                          // over generated tokens
  float frequency_penalty = 0.0F;                         // over generated tokens
  float repetition_penalty = 1.0F;                        // over prompt and generated tokens
  uint64_t seed = 0;                                      // Philox key; the API draws one when the client gave none
  uint32_t choice = 0;                                    // Philox counter word; see kernels/backend.h, sample()
  SharedList<TokenId> allowed_ids = {};                   // distinct; nothing else can be drawn; empty: all
  SharedList<std::vector<TokenId>> bad_words = {};        // the last id cannot follow the others in the output
  SharedList<std::pair<TokenId, float>> logit_bias = {};  // already clamped to [-100, 100], distinct ids

  int32_t tokens_max = 16;  // >= 1; generation ends with kLength
  int32_t tokens_min = 0;   // eos and stop ids cannot be drawn before
  bool ignore_eos = false;  // the checkpoint's eos ids do not stop (stop_token_ids still do)
  SharedList<TokenId> stop_token_ids = {};

  int32_t num_logprobs = -1;             // -1: none; k >= 0: the chosen token and the k best
  int32_t num_prompt_logprobs = -1;      // likewise for every prompt position after the first
  SharedList<TokenId> logprob_ids = {};  // not empty: instead of the best, these ids in this order; num_logprobs = size
};

/// How long a sequence may think: after so many tokens the closing ones are forced.
struct ThinkingBudget {
  int32_t tokens_max = 0;
  std::vector<TokenId> open = {};   // ids that open the thinking, in the prompt or the output
  std::vector<TokenId> close = {};  // ids that end it; not empty
};

/// How a request to a pooling model makes one vector of its prompt's hidden states.
enum class Pooling : uint8_t {
  kNone,  // it does not: the request generates
  kLast,  // the last token's
  kMean,  // the mean over all tokens
};

/// What the answers of a pooling model are made of. Constant after loading.
struct PoolingInfo {
  enum class Task : uint8_t { kNone, kEmbed, kClassify };  // kNone: the model generates
  enum class Activation : uint8_t { kNone, kNormalize, kSoftmax, kSigmoid };

  Task task = Task::kNone;
  Pooling pooling = Pooling::kNone;
  bool first_token_only = false;  // CLS pooling: the first token's state, which sees nothing else
  Activation activation = Activation::kNone;
  bool use_activation = true;            // unless a request says otherwise
  int32_t width = 0;                     // numbers of one answer
  bool any_dimensions = false;           // requests may ask for any smaller width,
  std::vector<int32_t> dimensions = {};  // or for one of these
  std::vector<std::string> labels = {};  // kClassify: [width]
  bool pairs_have_separator = true;      // a query and its document are tokenized as a pair, not as one text
  TokenId pad_token = -1;                // kClassify: the last token that is not this one is pooled

  bool pools() const { return task != Task::kNone; }
};

/// One version of an adapter (a LoRA), checked against the model. Made by Engine::load_adapter(), immutable; its memory
/// lives as long as somebody holds it, and a request does until it ends.
struct Adapter {
  uint64_t id = 0;       // unique for the life of the process, never 0
  int32_t rank = 0;      // of its largest matrices
  int64_t bytes = 0;     // of host memory
  uint64_t version = 0;  // differs when the files do
  std::shared_ptr<const AdapterWeights> weights = {};
};

/// REQUIRES: 1 <= prompt_ids.size() and prompt_ids.size() + 1 <= max_model_len (pooling: size() <= max_model_len).
struct Request {
  RequestId id = 0;
  SharedList<TokenId> prompt_ids = {};
  SamplingParams sampling = {};
  Pooling pooling = Pooling::kNone;                   // else the answer is Event::pooled and `sampling` means nothing
  int32_t priority = 0;                               // smaller runs earlier; equal: first come, first served
  std::array<uint8_t, 16> cache_salt = {};            // separates prefix-cache tenants; all zero: the common one
  std::shared_ptr<const Constraint> constraint = {};  // what the text must match; null: anything
  std::shared_ptr<const Adapter> adapter = {};        // null: the model as it is
  std::shared_ptr<const ThinkingBudget> thinking_budget = {};  // null: none
  MonotonicUs arrived_us = 0;                                  // when the HTTP request was complete
};

enum class FinishReason : uint8_t { kNone, kStop, kLength, kCancelled, kError };

struct TokenLogprob {
  TokenId id = 0;
  float logprob = 0.0F;
  int32_t rank = 0;  // number of ids whose logprob is >= this one's; the best has 1
};
/// One position: the chosen (or given) token first, then the k best in falling order, not repeated, or the ids that
/// were asked for.
using PositionLogprobs = std::vector<TokenLogprob>;

/// One generated token of one request, or its end, or both. A pooling request has one event, with kStop. The last event
/// of a request is the one whose `finish` is not kNone; exactly one such event follows every accepted submit().
struct Event {
  RequestId id = 0;
  TokenId token = -1;  // -1: no token in this event (cancelled, error)
  FinishReason finish = FinishReason::kNone;
  TokenId stop_token = -1;                          // kStop by one of stop_token_ids: which; -1: eos
  int32_t num_cached_tokens = 0;                    // prompt tokens taken from the prefix cache
  MonotonicUs scheduled_us = 0;                     // when the request first entered a step
  MonotonicUs published_us = 0;                     // when this event was published
  std::unique_ptr<PositionLogprobs> logprobs = {};  // when asked for
  std::unique_ptr<std::vector<PositionLogprobs>> prompt_logprobs = {};  // with the first token; [0] is empty
  std::unique_ptr<std::vector<float>> pooled = {};                      // of a pooling request: [PoolingInfo::width]
  std::unique_ptr<std::string> error = {};                              // kError: one sentence
};

}  // namespace seraph
