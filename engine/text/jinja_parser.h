// Tokens to a tree, by Jinja's grammar with the tags of chat templates: loop controls and `generation`, no `do`.
#pragma once

#include <string_view>

#include "engine/text/jinja_ast.h"

namespace seraph::jinja {

/// Deepest nesting of brackets and blocks, and of operators in one expression: they keep the parser and every later
/// walk of the tree within the stack.
constexpr int kNestingMax = 200;
constexpr int kExpressionDepthMax = 1000;

/// Fills program.body (names unresolved). Throws TemplateError with a position.
void parse(std::string_view source, Program& program);

}  // namespace seraph::jinja
