#include "engine/sample/constraint_state.h"

#include <algorithm>

#include "engine/base/check.h"

namespace seraph {

void ConstraintState::restart(const Request& request, std::span<const TokenId> eos_ids, int32_t vocab_size) {
  id_ = request.id;
  constraint_ = request.constraint.get();
  num_followed_ = request.prompt_ids.size();
  vocab_size_ = vocab_size;
  end_ids_.clear();
  const auto inside = [vocab_size](TokenId id) { return id >= 0 && id < vocab_size; };
  std::copy_if(eos_ids.begin(), eos_ids.end(), std::back_inserter(end_ids_), inside);
  const SharedList<TokenId>& stop = request.sampling.stop_token_ids;
  std::copy_if(stop.begin(), stop.end(), std::back_inserter(end_ids_), inside);
  const size_t model_words = (static_cast<size_t>(vocab_size) + 31) / 32;
  words_.resize(std::max(model_words, constraint_->masks->tokens().mask_words()));
  tail_.clear();
  open_matched_ = 0;
  start_text();
  if (constraint_->thinking == ThinkingStart::kMayOpen) phase_ = Phase::kBegin;
  if (constraint_->thinking == ThinkingStart::kOpened) phase_ = Phase::kThinking;
}

void ConstraintState::start_text() {
  phase_ = Phase::kText;
  matcher_.emplace(constraint_->masks);
  matcher_alive_ = true;
}

void ConstraintState::follow(const Request& request, std::span<const TokenId> tokens, std::span<const TokenId> eos_ids,
                             int32_t vocab_size) {
  SERAPH_CHECK(request.constraint != nullptr, "only a constrained request is followed");
  if (id_ != request.id) restart(request, eos_ids, vocab_size);
  for (; num_followed_ < tokens.size(); ++num_followed_) advance(tokens[num_followed_]);
}

void ConstraintState::advance(TokenId id) {
  switch (phase_) {
    case Phase::kBegin:
      begin(id);
      break;
    case Phase::kThinking:
      think(id);
      break;
    case Phase::kText:
      take(id);
      break;
    case Phase::kOver:
    case Phase::kBroken:
      break;
  }
}

/// The opening tag and a text may begin with the same bytes, so both are followed until one of them fails.
void ConstraintState::begin(TokenId id) {
  const ThinkingMarks& marks = *constraint_->marks;
  const std::vector<TokenId>& going_on = marks.open_ids[open_matched_];
  const bool opens = std::find(going_on.begin(), going_on.end(), id) != going_on.end();
  if (opens) {
    open_matched_ += id == marks.open_id ? marks.open.size() : constraint_->masks->tokens().bytes(id).size();
    if (open_matched_ >= marks.open.size()) {
      phase_ = Phase::kThinking;
      return;
    }
    matcher_alive_ = matcher_alive_ && matcher_->accept_token(id);
    return;
  }
  phase_ = matcher_alive_ ? Phase::kText : Phase::kBroken;
  if (matcher_alive_) take(id);
}

void ConstraintState::think(TokenId id) {
  const ThinkingMarks& marks = *constraint_->marks;
  if (id == marks.close_id) return start_text();
  if (id == marks.answer_id && answer_fits()) {
    start_text();
    return take(id);
  }
  const TokenTable& tokens = constraint_->masks->tokens();
  if (id < tokens.vocab_size()) tail_ += tokens.bytes(id);
  if (tail_.find(marks.close) != std::string::npos) {
    tail_.clear();
    return start_text();
  }
  if (tail_.size() >= marks.close.size()) tail_.erase(0, tail_.size() - marks.close.size() + 1);
}

void ConstraintState::take(TokenId id) {
  const bool ends = std::find(end_ids_.begin(), end_ids_.end(), id) != end_ids_.end();
  if (ends && matcher_->can_end()) {
    phase_ = Phase::kOver;
  } else if (!matcher_->accept_token(id)) {
    phase_ = Phase::kBroken;
  }
}

bool ConstraintState::answer_fits() {
  Matcher fresh(constraint_->masks);
  return fresh.accept_token(constraint_->marks->answer_id);
}

const uint32_t* ConstraintState::allowed(bool& must_end) {
  must_end = false;
  if (phase_ == Phase::kOver) return nullptr;
  if (phase_ == Phase::kThinking) {
    const TokenId answer = constraint_->marks->answer_id;
    if (answer < 0 || answer >= vocab_size_ || answer_fits()) return nullptr;
    // Readers of the answer take this token for the end of the thinking, and no text begins with it.
    std::fill(words_.begin(), words_.end(), ~0U);
    words_[static_cast<size_t>(answer) / 32] &= ~(1U << (answer % 32));
    return words_.data();
  }
  std::fill(words_.begin(), words_.end(), 0);
  if (phase_ == Phase::kBroken) return words_.data();
  if (matcher_alive_) {
    matcher_->fill_mask(std::span(words_).first(constraint_->masks->tokens().mask_words()), {});
    if (matcher_->can_end()) {
      must_end = std::all_of(words_.begin(), words_.end(), [](uint32_t word) { return word == 0; });
      for (const TokenId id : end_ids_) set_bit(id);
    }
  }
  if (phase_ == Phase::kBegin) {
    for (const TokenId id : constraint_->marks->open_ids[open_matched_]) {
      if (id < vocab_size_) set_bit(id);
      must_end = false;
    }
  }
  return words_.data();
}

}  // namespace seraph
