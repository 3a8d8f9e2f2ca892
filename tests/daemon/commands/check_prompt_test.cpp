#include "daemon/commands/check_prompt.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace seraph {
namespace {

Json parse(std::string_view text) { return Json::parse(text).value(); }

std::string answer(std::string_view prompt_case, CheckPromptArgs args = {}) {
  PromptChecker checker(std::move(args));
  return checker.answer(parse(prompt_case)).dump();
}

TEST(CheckPrompt, RendersABareContextAndAConversation) {
  EXPECT_EQ(answer(R"({"template":"{{ a + 1 }}","context":{"a":1}})"), R"({"prompt":"2"})");
  EXPECT_EQ(answer(R"({"template":"{{ bos_token }}{{ messages[0].content }}{{ k }}{{ strftime_now('%Y') }}",
                       "messages":[{"role":"user","content":"Hi","name":null}],"special_tokens":{"bos_token":"<s>"},
                       "chat_template_kwargs":{"k":7},"now":"2025-03-09T08:07:06"})"),
            R"({"prompt":"<s>Hi72025"})");
}

TEST(CheckPrompt, AnswersWrongCasesWithAnError) {
  for (const char* wrong :
       {"1", "{}", R"({"template":1,"context":{}})", R"({"template":"{{ x.y }}","context":{}})",
        R"({"template":"{% if %}","context":{}})", R"({"template":"x","messages":5})",
        R"({"template":"x","context":{},"now":"yesterday"})", R"({"model":"/nonexistent","messages":[]})",
        R"({"template":"x","messages":[],"add_generation_prompt":"yes"})"}) {
    EXPECT_NE(answer(wrong).find("{\"error\":"), std::string::npos) << wrong;
  }
}

TEST(CheckPrompt, ReadsTemplateAndSpecialTokensOfAModelFolder) {
  const std::string demo = std::string(SERAPH_SOURCE_DIR) + "/config/demo";
  const Json out =
      PromptChecker({.model_dir = demo}).answer(parse(R"({"messages":[{"role":"user","content":"Hello"}]})"));
  ASSERT_NE(out.find("prompt"), nullptr) << out.dump();
  EXPECT_NE(out.find("prompt")->as_string().find("Hello"), std::string::npos);
}

TEST(CheckPrompt, AnswersEachLineOfAFileWithOneLine) {
  const auto path =
      std::filesystem::temp_directory_path() / ("check_prompt_test." + std::to_string(::getpid()) + ".jsonl");
  std::ofstream(path) << R"({"template":"{{ 1 }}","context":{}})"
                      << "\n\nno json\n"
                      << R"({"template":"{{ '\u2028' }}","context":{}})"
                      << "\n";
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_check_prompt({.jsonl_path = path.string()}), 0);
  const std::string out = testing::internal::GetCapturedStdout();
  std::filesystem::remove(path);
  EXPECT_TRUE(out.starts_with("{\"prompt\":\"1\"}\n{\"error\":")) << out;
  // Unicode's line breaks are escaped, so that every reader of lines sees one line an answer.
  EXPECT_TRUE(out.ends_with("\n{\"prompt\":\"\\u2028\"}\n")) << out;
}

TEST(CheckPrompt, RefusesMissingFiles) {
  EXPECT_EQ(run_check_prompt({}), 2);
  EXPECT_EQ(run_check_prompt({.json_path = "/nonexistent"}), 2);
  EXPECT_EQ(run_check_prompt({.jsonl_path = "/nonexistent"}), 2);
}

}  // namespace
}  // namespace seraph
