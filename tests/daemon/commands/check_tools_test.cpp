#include "daemon/commands/check_tools.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

Json answer(const char* tools_case, CheckToolsArgs args = {.every_split = true}) {
  return check_tools_answer(args, Json::parse(tools_case).value());
}

TEST(CheckTools, AnswersContentReasoningAndCalls) {
  const Json got = answer(R"({"parser": "hermes", "reasoning_parser": "qwen3",
      "text": "<think>hm</think>Sure.<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call>"})");
  EXPECT_EQ(got.dump(),
            R"({"content":"Sure.","reasoning_content":"hm","tool_calls":[{"name":"f","arguments":"{\"a\": 1}"}]})");
}

TEST(CheckTools, EmptyTextsAreNull) {
  EXPECT_EQ(answer(R"({"parser": "pythonic", "text": "[ping()]"})").dump(),
            R"({"content":null,"reasoning_content":null,"tool_calls":[{"name":"ping","arguments":"{}"}]})");
}

TEST(CheckTools, TheCommandLineNamesParsersForCasesWithoutOne) {
  const CheckToolsArgs args{.parser = "mistral", .every_split = true};
  EXPECT_EQ(answer(R"({"text": "[TOOL_CALLS]f{}"})", args).find("tool_calls")->as_array().size(), 1u);
}

TEST(CheckTools, WrongCasesSayWhatIsWrong) {
  for (const char* wrong :
       {R"({"text": "x"})", R"({"parser": "hermes"})", R"({"parser": "nope", "text": "x"})",
        R"({"parser": 5, "text": "x"})", R"([])", R"({"parser": "hermes", "text": "x", "prompt_opens_think": 1})"}) {
    const Json got = answer(wrong);
    ASSERT_NE(got.find("error"), nullptr) << wrong;
    EXPECT_EQ(got.find("tool_calls"), nullptr) << wrong;
  }
}

}  // namespace
}  // namespace seraph
