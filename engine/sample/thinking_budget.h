// How much of its thinking budget a sequence has used, and what must come next when nothing is left: the tokens that
// close the thinking. Like SampleState it belongs to a sequence slot and notices by itself when the slot got another
// sequence. Engine thread only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/request.h"

namespace seraph {

class ThinkingBudgetState {
 public:
  /// Brings the state up to `tokens` (prompt and generated). REQUIRES: request.thinking_budget != null.
  void follow(const Request& request, std::span<const TokenId> tokens, int32_t vocab_size);
  /// The closing token that alone may come next, as SampleRow.allowed; null: nothing is forced. Valid until the next
  /// call of follow().
  const uint32_t* allowed() const { return forced_ >= 0 ? words_.data() : nullptr; }

 private:
  void advance(std::span<const TokenId> tokens);
  void force(TokenId id, int32_t vocab_size);

  RequestId id_ = 0;
  const ThinkingBudget* budget_ = nullptr;  // the request's, which outlives the sequence
  size_t num_followed_ = 0;
  bool inside_ = false;
  int32_t used_ = 0;        // tokens since the opening ones
  size_t num_closing_ = 0;  // closing tokens that were forced so far
  TokenId forced_ = -1;
  std::vector<uint32_t> words_;
};

}  // namespace seraph
