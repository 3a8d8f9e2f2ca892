// From a request's SamplingParams to the SampleRow that the backend draws from. SampleState is what the host must
// remember of a sequence between steps (counts for penalties, ids that min_tokens masks); it belongs to a
// sequence slot and notices by itself when the slot got another sequence. Engine thread only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/request.h"
#include "engine/sample/token_counts.h"
#include "kernels/backend.h"

namespace seraph {

/// The model's side of sampling, constant after loading.
struct SampleModel {
  int32_t vocab_size = 0;
  std::vector<TokenId> eos_ids;
};

class SampleState {
 public:
  /// Brings the state up to `tokens` (prompt and generated): cheap when only the last step's token is new.
  void follow(const Request& request, std::span<const TokenId> tokens, const SampleModel& model);

  std::span<const TokenCount> counts() const { return counts_.counts(); }
  /// What may not be drawn next: eos and stop ids before min_tokens, and ids that would complete a bad word.
  std::span<const int32_t> banned(bool before_tokens_min);
  /// Bit set of what may be drawn, null: everything.
  const uint32_t* allowed() const { return allowed_.empty() ? nullptr : allowed_.data(); }
  /// The request's bias inside the vocabulary.
  std::span<const std::pair<int32_t, float>> bias() const { return bias_; }

 private:
  void restart(const Request& request, const SampleModel& model);
  void find_bad_ids(const Request& request, std::span<const TokenId> tokens, const SampleModel& model);

  RequestId id_ = 0;
  size_t num_followed_ = 0;
  bool counting_ = false;
  TokenCounts counts_;
  std::vector<int32_t> stop_ids_;  // eos and stop ids inside the vocabulary
  std::vector<int32_t> bad_ids_;   // last ids of the bad words that the output is about to complete
  std::vector<int32_t> banned_;    // both, when both count
  std::vector<uint32_t> allowed_;
  std::vector<std::pair<int32_t, float>> bias_;
};

struct DrawArgs {
  int32_t logit_row = 0;
  int32_t position = 0;          // index in the sequence of the token drawn
  int32_t generated_tokens = 0;  // before this draw, pending ones included
  int32_t vocab_size = 0;        // more logprobs than this are not reported
};

/// The row that draws the next token. Borrows from the request and the state until the step is collected.
SampleRow make_draw_row(const SamplingParams& params, SampleState& state, const DrawArgs& args);

/// Whether the masks of a row leave no id to draw, whatever the logits are.
bool masks_everything(const SampleRow& row, int32_t vocab_size);
/// The row that only reports the logprob of a prompt token: untouched logits, nothing drawn.
SampleRow make_prompt_row(int32_t num_logprobs, int32_t logit_row, TokenId given);

}  // namespace seraph
