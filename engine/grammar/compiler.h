// Constraints of a request to compiled grammars: JSON Schema, regular expressions, EBNF, choices, any JSON object,
// structural tags. Pure functions for the pool's threads; time, size and depth are limited, and what cannot be enforced
// is an Error that names it, never half a constraint. A schema or regex that no text satisfies compiles: see
// CompiledGrammar::matches_nothing.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/grammar/grammar.h"
#include "engine/grammar/limits.h"

namespace seraph {

using GrammarPtr = std::shared_ptr<const CompiledGrammar>;

struct JsonSchemaOptions {
  bool any_space = true;  // false: compact text, one space after ':' and ',' (disable_any_whitespace)
};

Result<GrammarPtr> compile_json_schema(const Json& schema, JsonSchemaOptions options = {},
                                       const CompileLimits& limits = {});
Result<GrammarPtr> compile_json_schema_text(std::string_view schema_text, JsonSchemaOptions options = {},
                                            const CompileLimits& limits = {});
/// The whole text matches, by Python's rules.
Result<GrammarPtr> compile_regex(std::string_view pattern, const CompileLimits& limits = {});
/// EBNF, or Lark's notation when nothing in it says "::=".
Result<GrammarPtr> compile_ebnf(std::string_view grammar, const CompileLimits& limits = {});
/// The text is one of the choices, byte for byte.
Result<GrammarPtr> compile_choice(const std::vector<std::string>& choices, const CompileLimits& limits = {});
Result<GrammarPtr> compile_json_object(JsonSchemaOptions options = {}, const CompileLimits& limits = {});
Result<GrammarPtr> compile_structural_tag(const Json& tag, const CompileLimits& limits = {});

}  // namespace seraph
