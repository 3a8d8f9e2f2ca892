// What the text of a sequence must match, and the thinking that may come before it. Compiled by the daemon, handed over
// with the request, shared and never changed; engine/sample/constraint_state.h follows a sequence by it.
//
// Models that think first: nothing binds the thinking, the constraint begins behind it.
//
//   the prompt has opened the thinking      thinking ... close | constrained text
//   the text itself may open it             open | thinking ... close | constrained text, or constrained text at once
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/grammar/token_masks.h"
#include "engine/grammar/token_table.h"
#include "engine/text/tokenizer.h"

namespace seraph {

/// How the thinking in front of a text is marked. Tags are one token each, or spelled with several.
struct ThinkingMarks {
  std::string open, close;
  int32_t open_id = -1, close_id = -1;              // -1: not one token
  int32_t answer_id = -1;                           // a token that ends the thinking and belongs to the text; -1: none
  std::vector<std::vector<int32_t>> open_ids = {};  // [n]: tokens that go on with the opening tag behind its n bytes

  static ThinkingMarks make(std::string_view open, std::string_view close, std::string_view answer,
                            const Tokenizer& tokenizer, const TokenTable& tokens);
};

enum class ThinkingStart : uint8_t { kNone, kMayOpen, kOpened };

struct Constraint {
  std::shared_ptr<TokenMasks> masks;
  ThinkingStart thinking = ThinkingStart::kNone;
  std::shared_ptr<const ThinkingMarks> marks = {};  // null exactly with kNone
};

}  // namespace seraph
