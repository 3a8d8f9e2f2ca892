// Texts that each format's own parser reads back as calls are what the grammars allow, and nothing else.
#include "daemon/api/tool_grammar.h"

#include <gtest/gtest.h>

#include "engine/grammar/compiler.h"
#include "engine/grammar/matcher.h"
#include "engine/text/reasoning_parser.h"

namespace seraph {
namespace {

const Json kTools = Json::parse(R"([
  {"type":"function","function":{"name":"paint","parameters":{"type":"object",
    "properties":{"colour":{"enum":["red","blue"]}},"required":["colour"]}}},
  {"type":"function","function":{"name":"wait"}}])")
                        .value();

bool allows(const ForcedCalls& calls, std::string_view text) {
  const ConstraintSource source = forced_calls_source(calls);
  const auto grammar = source.kind == ConstraintSource::Kind::kJsonSchema ? compile_json_schema(source.value)
                                                                          : compile_structural_tag(source.value);
  if (!grammar.ok()) {
    ADD_FAILURE() << calls.format << ": " << grammar.error().text();
    return false;
  }
  Matcher matcher(*grammar);
  return matcher.accept_bytes(text) && matcher.can_end();
}

std::vector<ParsedText::Call> calls_in(const std::string& format, std::string_view text) {
  const auto parser = std::move(make_tool_parser(format, ParseTiming::kDecided, kTools)).value();
  TextDeltas deltas;
  parser->push(text, deltas);
  parser->finish(deltas);
  ParsedText parsed;
  parsed.add(deltas);
  return parsed.calls;
}

struct FormatCase {
  const char* format;
  bool new_mistral;
  const char* one;    // paint
  const char* two;    // paint, wait
  const char* wrong;  // no argument that paint takes
};

const FormatCase kCases[] = {
    {"hermes", false, "<tool_call>\n{\"name\": \"paint\", \"arguments\": {\"colour\": \"red\"}}\n</tool_call>",
     "<tool_call>{\"name\": \"paint\", \"arguments\": {\"colour\": \"red\"}}</tool_call>\n<tool_call>\n{\"name\": "
     "\"wait\", \"arguments\": {}}\n</tool_call>",
     "<tool_call>\n{\"name\": \"paint\", \"arguments\": {\"colour\": \"red\", \"more\": 1}}\n</tool_call>"},
    {"llama3_json", false, "{\"name\": \"paint\", \"parameters\": {\"colour\": \"red\"}}",
     "{\"name\": \"paint\", \"parameters\": {\"colour\": \"red\"}}; {\"name\": \"wait\", \"parameters\": {}}",
     "{\"name\": \"paint\", \"parameters\": {}}"},
    {"mistral", false, "[TOOL_CALLS] [{\"name\": \"paint\", \"arguments\": {\"colour\": \"red\"}}]",
     "[TOOL_CALLS][{\"name\": \"paint\", \"arguments\": {\"colour\": \"red\"}}, {\"name\": \"wait\", \"arguments\": "
     "{}}]",
     "[TOOL_CALLS][]"},
    {"mistral", true, "[TOOL_CALLS]paint[ARGS]{\"colour\": \"red\"}",
     "[TOOL_CALLS]paint[ARGS]{\"colour\": \"red\"}[TOOL_CALLS]wait[ARGS]{}", "[TOOL_CALLS]paint[ARGS]{}"},
    {"qwen3_coder", false,
     "<tool_call>\n<function=paint>\n<parameter=colour>\nred\n</parameter>\n</function>\n</tool_call>",
     "<tool_call>\n<function=paint>\n<parameter=colour>\nred\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n"
     "<function=wait>\n</function>\n</tool_call>",
     "<tool_call>\n<function=paint>\n</function>\n</tool_call>"},
    {"deepseek_v3", false,
     "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>paint\n```json\n{\"colour\": \"red\"}\n"
     "```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
     "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>paint\n```json\n{\"colour\": \"red\"}\n"
     "```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>wait\n```json\n{}\n"
     "```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
     "<｜tool▁calls▁begin｜><｜tool▁calls▁end｜>"},
    {"internlm", false, "[{\"name\": \"paint\", \"parameters\": {\"colour\": \"red\"}}]",
     "[{\"name\": \"paint\", \"parameters\": {\"colour\": \"red\"}}, {\"name\": \"wait\", \"parameters\": {}}]", "[]"},
};

TEST(ToolGrammar, RequiredCallsAreWhatTheParserReads) {
  for (const FormatCase& row : kCases) {
    ForcedCalls calls{.format = row.format, .tools = &kTools, .new_mistral = row.new_mistral};
    EXPECT_TRUE(allows(calls, row.one)) << row.one;
    EXPECT_TRUE(allows(calls, row.two)) << row.two;
    for (const std::string& text : {std::string(row.wrong), std::string("Hello"), std::string()}) {
      EXPECT_FALSE(allows(calls, text)) << row.format << ": " << text;
    }
    const std::string reader = calls.is_list() ? "llama3_json" : row.format;
    const std::vector<ParsedText::Call> two = calls_in(reader, row.two);
    ASSERT_EQ(two.size(), 2U) << row.two;
    EXPECT_EQ(two[0].name, "paint");
    EXPECT_EQ(two[0].arguments, "{\"colour\": \"red\"}");
    EXPECT_EQ(two[1].name, "wait");
    EXPECT_EQ(two[1].arguments, "{}");
    calls.one_call = true;
    EXPECT_TRUE(allows(calls, row.one)) << row.one;
    EXPECT_FALSE(allows(calls, row.two)) << row.two;
  }
}

TEST(ToolGrammar, ANamedCallIsThatOneCall) {
  for (const FormatCase& row : kCases) {
    ForcedCalls calls{.format = row.format, .tools = &kTools, .name = "wait", .new_mistral = row.new_mistral};
    EXPECT_FALSE(allows(calls, row.one)) << row.one;
    calls.name = "paint";
    EXPECT_EQ(allows(calls, row.one), !calls.is_list()) << row.one;
    EXPECT_FALSE(allows(calls, row.two)) << row.two;
    EXPECT_EQ(allows(calls, "{\"colour\": \"blue\"}"), calls.is_list());
  }
}

TEST(ToolGrammar, AListFindsTheDefinitionsOfEverySchema) {
  const Json tools = Json::parse(R"([{"type":"function","function":{"name":"f","parameters":{"type":"object",
      "properties":{"a":{"$ref":"#/$defs/digit"}},"required":["a"],"$defs":{"digit":{"enum":[1,2]}}}}}])")
                         .value();
  const ForcedCalls calls{.format = "pythonic", .tools = &tools};
  EXPECT_TRUE(allows(calls, R"([{"name":"f","parameters":{"a":2}}])"));
  EXPECT_FALSE(allows(calls, R"([{"name":"f","parameters":{"a":3}}])"));
}

TEST(ToolGrammar, NamesAreQuotedWhereTheyStandInJson) {
  const Json tools = Json::parse(R"([{"type":"function","function":{"name":"a\"b"}}])").value();
  EXPECT_TRUE(allows({.format = "llama3_json", .tools = &tools}, R"({"name": "a\"b", "parameters": {}})"));
}

}  // namespace
}  // namespace seraph
