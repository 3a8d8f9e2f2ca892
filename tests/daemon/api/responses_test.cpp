#include "daemon/api/responses.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "daemon/api/response_store.h"

namespace seraph {
namespace {

class ResponsesTest : public testing::Test {
 protected:
  ResponsesTest() : tokenizer_(std::move(Tokenizer::load(SERAPH_TEST_DATA "/golden/api/model")).value()) {
    info_.vocab_size = 777;
    info_.max_model_len = 64;
    options_.served_model_names = {"tiny"};
    context_ = std::move(PrepareContext::make(*tokenizer_, info_, options_)).value();
    context_->responses = &kept_;
  }

  std::string prepare(const std::string& members, const std::string& owner = "") {
    out_ = {};
    out_.owner = owner;
    const auto error = prepare_responses(R"({"return_prompt_text":true,)" + members + '}', *context_, out_);
    return error ? *error->param : tokenizer_->decode(out_.prompts[0].ids, false);
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  EngineInfo info_;
  ApiOptions options_;
  ResponseStore kept_{{}, nullptr};
  std::unique_ptr<PrepareContext> context_;
  PreparedGeneration out_;
};

TEST_F(ResponsesTest, ContinuesAStoredConversationOfTheSameOwner) {
  kept_.put({.owner = "a",
             .id = "resp_1",
             .body = "{}",
             .messages = R"([{"role":"user","content":"one"},{"role":"assistant","content":"two"}])"});
  const std::string prompt = prepare(R"("input":"three","previous_response_id":"resp_1")", "a");
  EXPECT_NE(prompt.find("one"), std::string::npos) << prompt;
  EXPECT_NE(prompt.find("two"), std::string::npos) << prompt;
  EXPECT_EQ(out_.responses->conversation.size(), 3U);
  EXPECT_EQ(prepare(R"("input":"three","previous_response_id":"resp_1")", "b"), "response_id");
  kept_.put({.owner = "a", .id = "resp_2", .body = "{}", .messages = ""});
  EXPECT_EQ(prepare(R"("input":"x","previous_response_id":"resp_2")", "a"), "response_id") << "not finished";
}

TEST_F(ResponsesTest, InstructionsAreNotPartOfTheConversation) {
  const std::string prompt = prepare(R"("input":"Hi","instructions":"Be a pirate.")");
  EXPECT_NE(prompt.find("pirate"), std::string::npos) << prompt;
  EXPECT_EQ(out_.responses->conversation.size(), 1U);
}

TEST_F(ResponsesTest, TruncationLeavesOutTheOldestMessagesOnly) {
  std::string items;
  for (int i = 0; i < 12; ++i) {
    items += R"({"role":"user","content":"word )" + std::to_string(i) + R"( word word"},)";
  }
  const std::string input = R"("input":[)" + items + R"({"role":"user","content":"Hello"}])";
  EXPECT_EQ(prepare(input), "input_tokens");
  const std::string prompt = prepare(input + R"(,"truncation":"auto","instructions":"Be brief.")");
  EXPECT_NE(prompt.find("brief"), std::string::npos) << prompt;
  EXPECT_NE(prompt.find("Hello"), std::string::npos) << prompt;
  EXPECT_NE(prompt.find("word 11"), std::string::npos) << prompt;
  EXPECT_EQ(prompt.find("word 0"), std::string::npos) << prompt;
  EXPECT_EQ(out_.prompts.size(), 1U);
  EXPECT_EQ(prepare(R"("truncation":"auto","input":")" + std::string(900, 'x') + '"'), "input_tokens");
}

TEST_F(ResponsesTest, WhatCannotBeHonouredIsRefused) {
  EXPECT_EQ(prepare(R"("input":"x","prompt":{"id":"p"})"), "prompt");
  EXPECT_EQ(prepare(R"("input":"x","background":true,"store":false)"), "background");
  EXPECT_EQ(prepare(R"("input":"x","max_output_tokens":1000)"), "max_output_tokens");
  EXPECT_EQ(prepare(R"("input":"x","reasoning":{"effort":"extreme"})"), "body.reasoning.effort");
  EXPECT_EQ(prepare(R"("input":"x","include":["foo"])"), "body.include.0");
  EXPECT_EQ(prepare(R"("input":"x","n":2)").find("input"), std::string::npos);
  EXPECT_EQ(out_.params.n, 1);
  EXPECT_EQ(out_.warnings.size(), 1U) << "n and return_prompt_text are chat's";
}

}  // namespace
}  // namespace seraph
