#include "engine/grammar/compiler.h"

#include <new>

#include "engine/grammar/ebnf.h"
#include "engine/grammar/lark.h"
#include "engine/grammar/regex_syntax.h"
#include "engine/grammar/schema_emitter.h"
#include "engine/grammar/structural_tag.h"

namespace seraph {
namespace {

using grammar::Budget;
using grammar::ByteNfa;
using grammar::GrammarBuilder;
using grammar::RuleId;

/// Runs `add_root`, which adds the rules and gives the root's, within the limits.
template <typename AddRoot>
Result<GrammarPtr> compile(size_t source_bytes, const char* param, const CompileLimits& limits,
                           const AddRoot& add_root) {
  if (static_cast<int64_t>(source_bytes) > limits.source_bytes_max) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("the constraint has {} bytes, the limit is {}", source_bytes, limits.source_bytes_max),
                 "shorten it", param};
  }
  try {
    Budget budget(limits);
    GrammarBuilder builder(budget);
    const RuleId root = add_root(builder);
    return builder.finish(root);
  } catch (grammar::CompileFailure& failure) {
    failure.error.param = param;
    return std::move(failure.error);
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, "no memory is left to compile the constraint", "simplify it", param};
  }
}

template <typename Add>
RuleId single_rule(GrammarBuilder& builder, const Add& add) {
  const RuleId rule = builder.declare_rule();
  ByteNfa nfa(builder.budget());
  const int32_t start = nfa.add_state();
  const int32_t end = add(nfa, start);
  builder.define_rule(rule, nfa, start, end);
  return rule;
}

}  // namespace

Result<GrammarPtr> compile_json_schema(const Json& schema, JsonSchemaOptions options, const CompileLimits& limits) {
  return compile(0, "json_schema", limits, [&](GrammarBuilder& builder) {
    return grammar::SchemaEmitter(builder, schema, {options.any_space}).emit();
  });
}

Result<GrammarPtr> compile_json_schema_text(std::string_view schema_text, JsonSchemaOptions options,
                                            const CompileLimits& limits) {
  if (static_cast<int64_t>(schema_text.size()) > limits.source_bytes_max) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("the schema has {} bytes, the limit is {}", schema_text.size(), limits.source_bytes_max),
                 "shorten it", "json_schema"};
  }
  auto schema = Json::parse(schema_text);
  if (!schema.ok()) {
    return Error{ErrorCode::kInvalidArgument, "the schema is not JSON: " + schema.error().message, "", "json_schema"};
  }
  return compile_json_schema(*schema, options, limits);
}

Result<GrammarPtr> compile_regex(std::string_view pattern, const CompileLimits& limits) {
  return compile(pattern.size(), "regex", limits, [&](GrammarBuilder& builder) {
    return single_rule(builder, [&](ByteNfa& nfa, int32_t start) {
      const auto dfa = grammar::compile_regex_dfa(pattern, grammar::RegexDialect::kPython, builder.budget());
      return nfa.add_language(start, dfa, grammar::Spelling::kRaw, -1);
    });
  });
}

Result<GrammarPtr> compile_ebnf(std::string_view source, const CompileLimits& limits) {
  auto compiled = compile(source.size(), "grammar", limits, [&](GrammarBuilder& builder) {
    return grammar::is_lark(source) ? grammar::add_lark(builder, source) : grammar::add_ebnf(builder, source);
  });
  if (compiled.ok() && (*compiled)->matches_nothing()) {
    return Error{ErrorCode::kInvalidArgument, "the grammar's root derives no text, its recursion never ends", "",
                 "grammar"};
  }
  return compiled;
}

Result<GrammarPtr> compile_choice(const std::vector<std::string>& choices, const CompileLimits& limits) {
  if (choices.empty()) return Error{ErrorCode::kInvalidArgument, "the list of choices is empty", "", "choice"};
  size_t bytes = 0;
  for (const std::string& choice : choices) bytes += choice.size();
  return compile(bytes, "choice", limits, [&](GrammarBuilder& builder) {
    return single_rule(builder, [&](ByteNfa& nfa, int32_t start) {
      const int32_t end = nfa.add_state();
      for (const std::string& choice : choices) nfa.add_epsilon(nfa.add_literal(start, choice), end);
      return end;
    });
  });
}

Result<GrammarPtr> compile_json_object(JsonSchemaOptions options, const CompileLimits& limits) {
  return compile_json_schema(Json(Json::Object{{"type", Json("object")}}), options, limits);
}

Result<GrammarPtr> compile_structural_tag(const Json& tag, const CompileLimits& limits) {
  return compile(0, "structural_tag", limits,
                 [&](GrammarBuilder& builder) { return grammar::add_structural_tag(builder, tag); });
}

}  // namespace seraph
