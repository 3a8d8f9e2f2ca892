#include "daemon/api/tools.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

constexpr const char* kTools = R"("tools":[{"type":"function","function":{"name":"f"}}])";

struct Outcome {
  std::string error;
  OutputPlan plan;
};

Outcome plan(const std::string& members, const ApiOptions& options) {
  Outcome outcome;
  const auto error = read_output_plan(Json::parse("{" + members + "}").value(), options, outcome.plan);
  if (error) outcome.error = error->message;
  return outcome;
}

ApiOptions with_parser() {
  ApiOptions options;
  options.enable_auto_tool_choice = true;
  options.tool_parser = "mistral";
  return options;
}

std::string with_choice(const std::string& choice) { return std::string(kTools) + R"(,"tool_choice":)" + choice; }

TEST(Tools, AutoAndAbsentChoicesParse) {
  for (const std::string& members : {std::string(kTools), with_choice("\"auto\"")}) {
    const Outcome outcome = plan(members, with_parser());
    EXPECT_EQ(outcome.error, "");
    EXPECT_EQ(outcome.plan.format.tool_parser, "mistral");
    EXPECT_TRUE(outcome.plan.short_call_ids);
    EXPECT_NE(plan(members, {}).error.find("requires --enable-auto-tool-choice"), std::string::npos);
  }
}

TEST(Tools, NoneAndNullDoNotParse) {
  for (const std::string& members : {with_choice("\"none\""), with_choice("null"), std::string(R"("tools":null)"),
                                     std::string(R"("tool_choice":"none")"), std::string()}) {
    for (const ApiOptions& options : {with_parser(), ApiOptions{}}) {
      const Outcome outcome = plan(members, options);
      EXPECT_EQ(outcome.error, "") << members;
      EXPECT_FALSE(outcome.plan.parses()) << members;
    }
  }
}

TEST(Tools, ForcedChoicesSayWhatTheyNeed) {
  const std::string named = with_choice(R"({"type":"function","function":{"name":"f"}})");
  EXPECT_EQ(plan(named, {}).error, "tool_choice=function \"f\" requires --tool-call-parser to be set");
  EXPECT_NE(plan(named, with_parser()).error.find("grammar"), std::string::npos);
  EXPECT_NE(plan(with_choice("\"required\""), with_parser()).error.find("grammar"), std::string::npos);
}

TEST(Tools, WrongChoicesAreRefused) {
  const std::pair<std::string, const char*> cases[] = {
      {with_choice("\"any\""), "Invalid value for `tool_choice`: any!"},
      {with_choice("1"), "Invalid value for `tool_choice`: 1!"},
      {with_choice("{}"), "Invalid value for `function`: `None`"},
      {with_choice(R"({"type":"function","function":{"name":"g"}})"), "does not match any of the specified"},
      {R"("tool_choice":"auto")", "When using `tool_choice`, `tools` must be set."},
      {R"("tools":[])", "must not be an empty array"},
  };
  for (const auto& [members, expected] : cases) {
    EXPECT_NE(plan(members, with_parser()).error.find(expected), std::string::npos) << members;
  }
}

TEST(Tools, TheTemplateTellsTheParser) {
  EXPECT_EQ(guess_tool_parser("... within <tool_call></tool_call> XML tags"), "hermes");
  EXPECT_EQ(guess_tool_parser("<tool_call>\n<function=x>\n<parameter=y>"), "qwen3_coder");
  EXPECT_EQ(guess_tool_parser("{{ 'Environment: ipython' }}"), "llama3_json");
  EXPECT_EQ(guess_tool_parser("[AVAILABLE_TOOLS] [TOOL_CALLS]"), "mistral");
  EXPECT_EQ(guess_tool_parser("{{ message.content }}"), "");
}

}  // namespace
}  // namespace seraph
