#include "daemon/api/constraints.h"

#include <utility>
#include <vector>

#include "daemon/api/tool_grammar.h"
#include "engine/grammar/compiler.h"

namespace seraph {
namespace {

using Kind = ConstraintSource::Kind;

Result<GrammarPtr> compile_source(const ConstraintSource& source) {
  const JsonSchemaOptions options{.any_space = source.any_space};
  switch (source.kind) {
    case Kind::kJsonSchema:
      return compile_json_schema(source.value, options);
    case Kind::kRegex:
      return compile_regex(source.value.as_string());
    case Kind::kChoice: {
      std::vector<std::string> choices;
      for (const Json& choice : source.value.as_array()) choices.push_back(choice.as_string());
      return compile_choice(choices);
    }
    case Kind::kGrammar:
      return compile_ebnf(source.value.as_string());
    case Kind::kStructuralTag:
      return compile_structural_tag(source.value);
    case Kind::kJsonObject:
    case Kind::kNone:
      break;
  }
  return compile_json_object(options);
}

Result<GrammarPtr> compile_to_something(const ConstraintSource& source) {
  SERAPH_ASSIGN_OR_RETURN(GrammarPtr grammar, compile_source(source));
  if (!grammar->matches_nothing()) return grammar;
  return Error{ErrorCode::kInvalidArgument, "no text satisfies the constraint of " + source.field};
}

}  // namespace

ConstraintCompiler::ConstraintCompiler(const Args& args) {
  plain_ = make_vocabulary(args, TokenTable::from_tokenizer(*args.tokenizer));
  plain_.cache->warm_up();
  std::vector<std::string_view> markers;
  for (const std::string_view marker : tool_markers(args.tool_parser)) {
    const int32_t id = args.tokenizer->find_piece(marker);
    if (id >= 0 && args.tokenizer->is_added(id)) markers.push_back(marker);
  }
  if (markers.empty()) return;
  with_markers_ = make_vocabulary(args, TokenTable::from_tokenizer(*args.tokenizer, markers));
}

ConstraintCompiler::Vocabulary ConstraintCompiler::make_vocabulary(const Args& args,
                                                                   std::shared_ptr<const TokenTable> tokens) const {
  Vocabulary out;
  if (const ReasoningFormat* format = find_reasoning_format(args.reasoning_parser)) {
    out.marks = std::make_shared<const ThinkingMarks>(
        ThinkingMarks::make(format->open, format->close, format->also_ends, *args.tokenizer, *tokens));
  }
  out.cache = std::make_unique<GrammarCache>(std::move(tokens), args.cache_bytes_max);
  return out;
}

std::optional<ApiError> ConstraintCompiler::compile(const ConstraintSource& source, ThinkingStart thinking,
                                                    std::shared_ptr<const Constraint>& out) const {
  if (!source.given()) return std::nullopt;
  const Vocabulary& vocabulary = source.markers && with_markers_ ? *with_markers_ : plain_;
  auto masks = vocabulary.cache->find_or_compile(source.key(), [&source] { return compile_to_something(source); });
  if (!masks.ok()) {
    ApiError error = from_error(masks.error());
    if (!source.field.empty()) error.param = source.field;
    return error;
  }
  auto constraint = std::make_shared<Constraint>();
  constraint->masks = std::move(masks).value();
  if (vocabulary.marks != nullptr && thinking != ThinkingStart::kNone) {
    constraint->thinking = thinking;
    constraint->marks = vocabulary.marks;
  }
  out = std::move(constraint);
  return std::nullopt;
}

}  // namespace seraph
