#include "engine/sample/thinking_budget.h"

#include <algorithm>

#include "engine/base/check.h"

namespace seraph {
namespace {

bool ends_with(std::span<const TokenId> tokens, const std::vector<TokenId>& mark) {
  return !mark.empty() && tokens.size() >= mark.size() &&
         std::equal(mark.begin(), mark.end(), tokens.end() - static_cast<std::ptrdiff_t>(mark.size()));
}

}  // namespace

void ThinkingBudgetState::follow(const Request& request, std::span<const TokenId> tokens, int32_t vocab_size) {
  SERAPH_CHECK(request.thinking_budget != nullptr, "only a request with a budget is followed");
  if (id_ != request.id) {
    id_ = request.id;
    budget_ = request.thinking_budget.get();
    num_followed_ = 0;
    inside_ = false;
    num_closing_ = 0;
  }
  while (num_followed_ < tokens.size()) advance(tokens.first(++num_followed_));
  const bool exhausted = inside_ && used_ >= budget_->tokens_max;
  force(exhausted ? budget_->close[num_closing_] : -1, vocab_size);
}

/// `tokens` ends with the one token that is new.
void ThinkingBudgetState::advance(std::span<const TokenId> tokens) {
  if (!inside_) {
    inside_ = ends_with(tokens, budget_->open);
    used_ = 0;
    num_closing_ = 0;
    return;
  }
  // A closing tag of several tokens is forced one by one; the model may also have written it by itself.
  const bool closing = used_ >= budget_->tokens_max && tokens.back() == budget_->close[num_closing_];
  num_closing_ = closing ? num_closing_ + 1 : 0;
  ++used_;
  if (num_closing_ == budget_->close.size() || ends_with(tokens, budget_->close)) inside_ = false;
}

void ThinkingBudgetState::force(TokenId id, int32_t vocab_size) {
  if (id >= vocab_size) id = -1;
  forced_ = id;
  if (id < 0) return;
  words_.assign((static_cast<size_t>(vocab_size) + 31) / 32, 0);
  words_[static_cast<size_t>(id) / 32] |= 1U << (id % 32);
}

}  // namespace seraph
