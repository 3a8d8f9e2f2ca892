#include "daemon/commands/check_grammar.h"

#include <spdlog/fmt/fmt.h>

#include <cstdio>
#include <fstream>

#include "daemon/commands/commands.h"
#include "engine/grammar/matcher.h"

namespace seraph {
namespace {

Error wrong(std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; }

constexpr const char* kConstraints[] = {"schema", "regex", "grammar", "choice", "structural_tag"};

Result<GrammarPtr> compile_constraint(std::string_view kind, const Json& constraint) {
  if (kind == "schema") {
    if (constraint.is_string()) return compile_json_schema_text(constraint.as_string());
    return compile_json_schema(constraint);
  }
  if (kind == "structural_tag") return compile_structural_tag(constraint);
  if (kind == "choice") {
    std::vector<std::string> choices;
    if (!constraint.is_array()) return wrong("choice must be a list of strings");
    for (const Json& choice : constraint.as_array()) {
      if (!choice.is_string()) return wrong("choice must be a list of strings");
      choices.push_back(choice.as_string());
    }
    return compile_choice(choices);
  }
  if (!constraint.is_string()) return wrong(fmt::format("{} must be a string", kind));
  return kind == "regex" ? compile_regex(constraint.as_string()) : compile_ebnf(constraint.as_string());
}

void print_json_line(const Json& value) {
  std::fputs(value.dump().c_str(), stdout);
  std::fputc('\n', stdout);
}

Json error_answer(const std::string& message) {
  Json answer;
  answer.set("compiled", false);
  answer.set("accepted", false);
  answer.set("error", message);
  return answer;
}

}  // namespace

const Result<GrammarPtr>& GrammarChecker::find_or_compile(const Json& grammar_case) {
  std::string key;
  for (const char* kind : kConstraints) {
    const Json* constraint = grammar_case.find(kind);
    if (constraint == nullptr) continue;
    key = fmt::format("{}:{}", kind, constraint->dump());
    const auto known = compiled_.find(key);
    if (known != compiled_.end()) return known->second;
    if (compiled_.size() >= kCompiledMax) compiled_.clear();
    return compiled_.emplace(key, compile_constraint(kind, *constraint)).first->second;
  }
  const Error missing = wrong("a case needs schema, regex, grammar, choice or structural_tag");
  return compiled_.insert_or_assign(key, Result<GrammarPtr>(missing)).first->second;
}

Json GrammarChecker::answer(const Json& grammar_case) {
  const Json* text = grammar_case.find("text");
  if (text == nullptr || !text->is_string()) return error_answer("a case needs a text");
  const Result<GrammarPtr>& compiled = find_or_compile(grammar_case);
  if (!compiled.ok()) return error_answer(compiled.error().text());
  Matcher matcher(*compiled);
  const std::string& bytes = text->as_string();
  const size_t accepted = matcher.accepted_prefix(bytes);
  const bool whole = accepted == bytes.size() && matcher.accept_bytes(bytes) && matcher.can_end();
  Json answer;
  answer.set("compiled", true);
  answer.set("accepted", whole);
  if (!whole) answer.set("position", static_cast<int64_t>(accepted));
  return answer;
}

int run_check_grammar(const CheckGrammarArgs& args) {
  GrammarChecker checker;
  if (args.jsonl_path.empty()) {
    if (args.json_path.empty()) return report_error("check grammar", wrong("give a file, or --jsonl FILE"));
    const auto grammar_case = Json::parse_file(args.json_path);
    if (!grammar_case.ok()) return report_error("check grammar", grammar_case.error());
    const Json answer = checker.answer(*grammar_case);
    print_json_line(answer);
    return answer.find("compiled")->as_bool() ? 0 : 2;
  }
  std::ifstream file(args.jsonl_path, std::ios::binary);
  if (!file) {
    return report_error("check grammar", Error{ErrorCode::kNotFound, "cannot read " + args.jsonl_path,
                                               "check the path and its permissions"});
  }
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    const auto grammar_case = Json::parse(line);
    print_json_line(grammar_case.ok() ? checker.answer(*grammar_case) : error_answer(grammar_case.error().text()));
  }
  return 0;
}

}  // namespace seraph
