#include "engine/grammar/matcher.h"

#include <algorithm>

#include "engine/base/check.h"

namespace seraph {

Matcher::Matcher(std::shared_ptr<const CompiledGrammar> grammar) : grammar_(std::move(grammar)) {
  parser_.reset(*grammar_, grammar_->rule(grammar_->root()).start);
}

Matcher::Matcher(std::shared_ptr<TokenMasks> masks) : Matcher(masks->shared_grammar()) { masks_ = std::move(masks); }

bool Matcher::accept_token(int32_t id) {
  SERAPH_CHECK(masks_ != nullptr, "the matcher was made for bytes only");
  if (id < 0 || id >= masks_->tokens().vocab_size()) return false;
  const std::string_view bytes = masks_->tokens().bytes(id);
  return !bytes.empty() && accept_bytes(bytes);
}

bool Matcher::accept_bytes(std::string_view bytes) {
  const size_t depth = parser_.depth();
  for (const char byte : bytes) {
    if (parser_.push(static_cast<uint8_t>(byte))) continue;
    while (parser_.depth() > depth) parser_.pop();
    return false;
  }
  parser_.merge_from(depth);
  return true;
}

size_t Matcher::accepted_prefix(std::string_view bytes) {
  const size_t depth = parser_.depth();
  size_t count = 0;
  while (count < bytes.size() && parser_.push(static_cast<uint8_t>(bytes[count]))) ++count;
  while (parser_.depth() > depth) parser_.pop();
  return count;
}

bool Matcher::is_finished() {
  if (!can_end()) return false;
  for (int byte = 0; byte < 256; ++byte) {
    if (!parser_.push(static_cast<uint8_t>(byte))) continue;
    parser_.pop();
    return false;
  }
  return true;
}

void Matcher::rollback(size_t steps) {
  SERAPH_CHECK(steps <= num_steps(), "rollback beyond the beginning");
  for (; steps > 0; --steps) parser_.pop();
  known_.clear();  // the numbers of dropped nodes are given out again
  next_known_ = 0;
}

const Matcher::KnownMask* Matcher::find_mask() const {
  const auto items = parser_.items();
  for (const KnownMask& known : known_) {
    if (std::equal(known.items.begin(), known.items.end(), items.begin(), items.end())) return &known;
  }
  return nullptr;
}

void Matcher::fill_mask(std::span<uint32_t> words, std::span<const int32_t> end_ids) {
  SERAPH_CHECK(masks_ != nullptr && words.size() == masks_->tokens().mask_words(), "the mask has another size");
  if (const KnownMask* known = find_mask()) {
    std::copy(known->words.begin(), known->words.end(), words.begin());
  } else {
    std::fill(words.begin(), words.end(), 0);
    masks_->add_allowed(parser_, words);
    if (!grammar_->has_unique_items()) {
      if (known_.size() < kKnownMasksMax) known_.emplace_back();
      KnownMask& slot = known_[next_known_++ % known_.size()];
      slot.items.assign(parser_.items().begin(), parser_.items().end());
      slot.words.assign(words.begin(), words.end());
    }
  }
  if (!can_end()) return;
  for (const int32_t id : end_ids) words[static_cast<size_t>(id) / 32] |= 1u << (id % 32);
}

std::string Matcher::jump_forward(size_t bytes_max) {
  const size_t depth = parser_.depth();
  std::string forced;
  while (forced.size() < bytes_max && !parser_.complete()) {
    int only = -1;
    for (int byte = 0; byte < 256; ++byte) {
      if (!parser_.push(static_cast<uint8_t>(byte))) continue;
      parser_.pop();
      if (only >= 0) {
        only = -1;
        break;
      }
      only = byte;
    }
    if (only < 0) break;
    parser_.push(static_cast<uint8_t>(only));
    forced.push_back(static_cast<char>(only));
  }
  while (parser_.depth() > depth) parser_.pop();
  return forced;
}

}  // namespace seraph
