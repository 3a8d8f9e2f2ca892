#include "daemon/api/anthropic.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace seraph {
namespace {

class AnthropicTest : public testing::Test {
 protected:
  AnthropicTest() : tokenizer_(std::move(Tokenizer::load(SERAPH_TEST_DATA "/golden/api/model")).value()) {
    info_.vocab_size = 777;
    info_.max_model_len = 512;
    options_.served_model_names = {"tiny"};
    context_ = std::move(PrepareContext::make(*tokenizer_, info_, options_)).value();
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  EngineInfo info_;
  ApiOptions options_;
  std::unique_ptr<PrepareContext> context_;
};

TEST_F(AnthropicTest, CountsWhatAnAnswerWouldCount) {
  std::string answer;
  const std::string head = R"({"model":"tiny","messages":[{"role":"user","content":"What is the capital of France?"}])";
  ASSERT_FALSE(answer_count_tokens(head + '}', *context_, answer));
  EXPECT_EQ(answer, R"({"input_tokens":21,"context_management":{"original_input_tokens":21}})");
  PreparedGeneration prepared;
  ASSERT_FALSE(
      prepare_anthropic(head + R"(,"max_tokens":4,"thinking":{"type":"disabled"},"foo":1})", *context_, prepared));
  EXPECT_EQ(prepared.prompts[0].ids.size(), 25U) << "an empty thinking block";
  EXPECT_EQ(prepared.prompts[0].tokens_max, 4);
  EXPECT_EQ(prepared.warnings, std::vector<std::string>{"unknown fields: foo"});
}

TEST_F(AnthropicTest, RefusesInTheWordsOfTheSchema) {
  for (const auto& [members, param] :
       {std::pair{R"("max_tokens":4)", "body.messages"},
        {R"("messages":[],"max_tokens":0)", "body.max_tokens"},
        {R"("messages":[])", "body.max_tokens"},
        {R"("messages":[],"max_tokens":4,"stop_sequences":["a","b","c","d","e"])", "body.stop_sequences"},
        {R"("messages":[],"max_tokens":4,"thinking":{"type":"enabled","budget_tokens":1024})", "body"},
        {R"("messages":[],"max_tokens":4,"thinking":{"type":"x"})", "body.thinking.type"}}) {
    PreparedGeneration prepared;
    const auto error = prepare_anthropic(std::string(R"({"model":"tiny",)") + members + '}', *context_, prepared);
    ASSERT_TRUE(error) << members;
    EXPECT_EQ(error->param, param) << error->message;
  }
}

TEST(AnthropicErrorTest, TheTypeFollowsFromTheStatus) {
  EXPECT_EQ(anthropic_error_json({.status = 404, .message = "no \"x\"", .param = "model"}),
            R"({"type":"error","error":{"type":"not_found_error","message":"no \"x\"","param":"model","code":404}})");
  for (const auto& [status, type] : {std::pair{400, "invalid_request_error"},
                                     {422, "invalid_request_error"},
                                     {401, "authentication_error"},
                                     {429, "rate_limit_error"},
                                     {503, "overloaded_error"},
                                     {500, "api_error"}}) {
    EXPECT_NE(anthropic_error_json({.status = status, .message = "x"}).find(std::string("\"") + type + '"'),
              std::string::npos);
  }
}

}  // namespace
}  // namespace seraph
