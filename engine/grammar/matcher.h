// The state of one sequence in one grammar: takes what was generated, says what may come next. Fed by tokens (or plain
// bytes), undone by rollback. One thread at a time; the grammar and its masks are shared.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/grammar/grammar.h"
#include "engine/grammar/parser.h"
#include "engine/grammar/token_masks.h"

namespace seraph {

class Matcher {
 public:
  /// For bytes only: accept_token and fill_mask need masks.
  explicit Matcher(std::shared_ptr<const CompiledGrammar> grammar);
  explicit Matcher(std::shared_ptr<TokenMasks> masks);

  /// False, and nothing changed, when the grammar does not allow it. Each success is one step for rollback.
  bool accept_token(int32_t id);
  bool accept_bytes(std::string_view bytes);
  /// How many of the bytes the grammar allows next; nothing is changed.
  size_t accepted_prefix(std::string_view bytes);
  /// The text so far is complete: an end-of-sequence token is allowed.
  bool can_end() const { return parser_.complete(); }
  /// Complete, and nothing can follow.
  bool is_finished();
  /// Takes back the last `steps` successes. REQUIRES: steps <= num_steps().
  void rollback(size_t steps);
  size_t num_steps() const { return parser_.depth(); }

  /// Sets the bit of every allowed token in a zeroed or dirty mask of masks.tokens().mask_words() words; of `end_ids`
  /// too when the text may end here. Bit i of word w is token 32 w + i, as SampleRow.allowed wants it.
  void fill_mask(std::span<uint32_t> words, std::span<const int32_t> end_ids);
  /// The bytes that must come next because the grammar leaves no other; at most `bytes_max`. Nothing is changed.
  std::string jump_forward(size_t bytes_max = 256);

 private:
  struct KnownMask {
    std::vector<grammar::Parser::Item> items;
    std::vector<uint32_t> words;
  };
  static constexpr size_t kKnownMasksMax = 4;

  const KnownMask* find_mask() const;

  std::shared_ptr<const CompiledGrammar> grammar_;
  std::shared_ptr<TokenMasks> masks_;  // null for bytes only
  grammar::Parser parser_;
  std::vector<KnownMask> known_;  // of positions with the same items, as within one string
  size_t next_known_ = 0;
};

}  // namespace seraph
