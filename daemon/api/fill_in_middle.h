// `suffix` of a completion: the prompt forms of models that were trained to fill in the middle. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/text/tokenizer.h"

namespace seraph {

/// A form of such prompts, known by the special tokens that it needs.
struct MiddleForm {
  std::string_view first, second, third;  // around the two texts
  bool suffix_first = false;
};

/// The form whose tokens this vocabulary has; nothing when it has none.
std::optional<MiddleForm> find_middle_form(const Tokenizer& tokenizer);
std::string middle_prompt(const MiddleForm& form, std::string_view prefix, std::string_view suffix);

}  // namespace seraph
