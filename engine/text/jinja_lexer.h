// Template text to tokens, by Jinja's rules: trim_blocks, lstrip_blocks, '-' and '+' at the tags, raw blocks,
// comments. Lexing is lazy in Jinja; here all tokens come at once, and the first lexical error is kept as a last
// token so that the parser reports whichever error comes first.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/text/jinja_error.h"

namespace seraph::jinja {

enum class Tok : uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kError,  // text is the message
  kEof,
};

struct Token {
  Tok type = Tok::kEof;
  std::string text;  // the string's value, the number's digits, the operator
  Position at;

  bool is_op(std::string_view op) const { return type == Tok::kOperator && text == op; }
  bool is_name(std::string_view name) const { return type == Tok::kName && text == name; }
};

/// The last token is kEof or kError.
std::vector<Token> tokenize(std::string_view source);

}  // namespace seraph::jinja
