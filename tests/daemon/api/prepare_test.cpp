#include "daemon/api/prepare.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "daemon/api/tokenize.h"

namespace seraph {
namespace {

class PrepareTest : public testing::Test {
 protected:
  PrepareTest() : tokenizer_(std::move(Tokenizer::load(SERAPH_TEST_DATA "/golden/api/model")).value()) {
    info_.vocab_size = 777;
    info_.max_model_len = 512;
    options_.served_model_names = {"tiny", "tiny-alias"};
    reload();
  }

  void reload() { context_ = std::move(PrepareContext::make(*tokenizer_, info_, options_)).value(); }

  std::string prompt(const std::string& members) {
    PreparedGeneration out;
    const auto error = prepare_chat(R"({"return_prompt_text":true,"messages":[{"role":"user","content":"Hello"}])" +
                                        (members.empty() ? "" : "," + members) + "}",
                                    *context_, out);
    return error ? "error: " + error->message : out.prompts.front().text;
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  EngineInfo info_;
  ApiOptions options_;
  std::unique_ptr<PrepareContext> context_;
};

TEST_F(PrepareTest, ChatIsRenderedAndTokenized) {
  PreparedGeneration out;
  ASSERT_FALSE(prepare_chat(R"({"messages":[{"role":"user","content":"Hello"}],"max_tokens":5})", *context_, out));
  EXPECT_EQ(out.prompts.front().ids.size(), 15U);
  EXPECT_EQ(out.prompts.front().tokens_max, 5);
  EXPECT_EQ(out.role, "assistant");
}

TEST_F(PrepareTest, ABatchHasAPromptForEachConversation) {
  const std::string two = R"("messages":[[{"role":"user","content":"Hello"}],[{"role":"user","content":"Why?"}]])";
  PreparedGeneration out;
  ASSERT_FALSE(prepare_batch_chat('{' + two + R"(,"max_tokens":5,"stream":true})", *context_, out));
  ASSERT_EQ(out.prompts.size(), 2U);
  EXPECT_EQ(out.prompts[0].ids.size(), 15U);
  EXPECT_NE(out.prompts[1].ids, out.prompts[0].ids);
  EXPECT_FALSE(out.params.stream) << "the answer is whole";
  const auto param = [&](const std::string& members) {
    PreparedGeneration unused;
    return prepare_batch_chat('{' + members + '}', *context_, unused)->param.value_or("-");
  };
  EXPECT_EQ(param(two + R"(,"n":2)"), "n");
  EXPECT_EQ(param(two + R"(,"use_beam_search":true)"), "use_beam_search");
  EXPECT_EQ(param(R"("messages":[])"), "body.messages");
  EXPECT_EQ(param(R"("messages":[{"role":"user","content":"a"}])"), "body.messages.0");
  EXPECT_EQ(param(R"("messages":[[{"role":"user","content":5}]])"), "body.messages.0.0.content");
}

TEST_F(PrepareTest, ABudgetForThinkingNeedsAParserThatKnowsItsTags) {
  const std::string body = R"({"messages":[{"role":"user","content":"Hello"}],"thinking_token_budget":3})";
  PreparedGeneration out;
  EXPECT_NE(prepare_chat(body, *context_, out)->message.find("reasoning_config is not configured"), std::string::npos);
  options_.reasoning_parser = "qwen3";
  reload();
  out = {};
  ASSERT_FALSE(prepare_chat(body, *context_, out));
  ASSERT_NE(out.thinking_budget, nullptr);
  EXPECT_EQ(out.thinking_budget->tokens_max, 3);
  EXPECT_FALSE(out.thinking_budget->close.empty());
}

TEST_F(PrepareTest, TemplateArgumentsReachTheTemplate) {
  const std::string usual = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n";
  EXPECT_EQ(prompt(""), usual);
  EXPECT_EQ(prompt(R"("add_generation_prompt":false)"), "<|im_start|>user\nHello<|im_end|>\n");
  EXPECT_EQ(prompt(R"("reasoning_effort":"none")"), usual + "<think>\n\n</think>\n\n");
  EXPECT_EQ(prompt(R"("chat_template_kwargs":{"enable_thinking":false})"), usual + "<think>\n\n</think>\n\n");
  EXPECT_TRUE(prompt(R"("chat_template":"x")").starts_with("error: Chat template is passed"));
  EXPECT_TRUE(prompt(R"("chat_template_kwargs":{"messages":[]})").starts_with("error: "));
}

TEST_F(PrepareTest, TemplateArgumentsHaveALimit) {
  // Each one is looked up among the others: half a megabyte of names once held a worker for a quarter of a minute.
  std::string many;
  for (int i = 0; i < 257; ++i) many += (i == 0 ? "" : ",") + ("\"k" + std::to_string(i)) + "\":1";
  EXPECT_EQ(prompt(R"("chat_template_kwargs":{)" + many + "}"),
            "error: chat_template_kwargs has 257 members, at most 256 are taken.");
  EXPECT_FALSE(prompt(R"("chat_template_kwargs":{)" + many.substr(0, many.rfind(',')) + "}").starts_with("error: "));
}

TEST_F(PrepareTest, OwnTemplatesNeedTrust) {
  options_.trust_request_chat_template = true;
  options_.default_chat_template_kwargs = Json(Json::Object{{"who", Json("world")}});
  reload();
  EXPECT_EQ(prompt(R"("chat_template":"{{ messages[0].content }} {{ who }}")"), "Hello world");
  EXPECT_TRUE(prompt(R"("chat_template":"{{ nothing.at.all }}")").starts_with("error: "));
}

TEST_F(PrepareTest, TruncationKeepsTheChosenSide) {
  const auto ids = [&](const std::string& members) {
    PreparedGeneration out;
    EXPECT_FALSE(prepare_completion(R"({"prompt":[1,2,3,4,5])" + members + "}", *context_, out));
    return out.prompts.front().ids;
  };
  EXPECT_EQ(ids(R"(,"truncate_prompt_tokens":2)"), (std::vector<TokenId>{4, 5}));
  EXPECT_EQ(ids(R"(,"truncate_prompt_tokens":2,"truncation_side":"right")"), (std::vector<TokenId>{1, 2}));
  EXPECT_EQ(ids(R"(,"truncate_prompt_tokens":9)").size(), 5U);
}

TEST_F(PrepareTest, BatchesAreLimited) {
  options_.completion_prompts_max = 2;
  options_.choices_max = 3;
  reload();
  PreparedGeneration out;
  EXPECT_EQ(prepare_completion(R"({"prompt":["a","b","c"]})", *context_, out)->param, "prompt");
  EXPECT_EQ(prepare_completion(R"({"prompt":["a","b"],"n":2})", *context_, out)->param, "n");
}

TEST_F(PrepareTest, EveryModelNameMayBeServed) {
  PreparedGeneration out;
  EXPECT_EQ(prepare_completion(R"({"model":"x","prompt":"a"})", *context_, out)->status, 404);
  EXPECT_FALSE(prepare_completion(R"({"model":"tiny-alias","prompt":"a"})", *context_, out));
  options_.foreign_names = ForeignNames::kPaths;
  EXPECT_EQ(prepare_completion(R"({"model":"x","prompt":"a"})", *context_, out)->status, 404);
  EXPECT_FALSE(prepare_completion(R"({"model":"../Qwen2-7B-Instruct","prompt":"a"})", *context_, out));
  options_.foreign_names = ForeignNames::kAll;
  EXPECT_FALSE(prepare_completion(R"({"model":"x","prompt":"a"})", *context_, out));
}

TEST_F(PrepareTest, HugeTextsAreRefusedWithoutTokenizing) {
  PreparedGeneration out;
  const std::string text(30 << 20, 'a');
  const auto error = prepare_completion("{\"prompt\":\"" + text + "\"}", *context_, out);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->param, "input_tokens");
}

TEST_F(PrepareTest, TokenizeAnswersTextsAndConversations) {
  std::string out;
  ASSERT_FALSE(answer_tokenize(R"({"prompt":"The quick","return_token_strs":true})", *context_, out));
  const Json body = Json::parse(out).value();
  EXPECT_EQ(body.find("count")->as_int(), static_cast<int64_t>(body.find("token_strs")->as_array().size()));
  ASSERT_FALSE(answer_tokenize(R"({"prompt":"a","messages":[{"role":"user","content":"b"}]})", *context_, out));
  EXPECT_EQ(Json::parse(out)->find("count")->as_int(), 15);
  EXPECT_TRUE(answer_tokenize("{}", *context_, out)->message.starts_with("2 validation errors:"));
  ASSERT_FALSE(answer_detokenize(R"({"tokens":[15,20,31,44,999999]})", *context_, out));
  EXPECT_EQ(out, R"({"prompt":"05@M"})");
  EXPECT_TRUE(answer_detokenize(R"({"tokens":[8589934592]})", *context_, out));
}

TEST_F(PrepareTest, NamesOfRequestsAndUsersAreBounded) {
  const std::string begin = R"({"messages":[{"role":"user","content":"Hello"}],)";
  PreparedGeneration out;
  EXPECT_FALSE(prepare_chat(begin + R"("request_id":")" + std::string(256, 'r') + R"("})", *context_, out));
  EXPECT_EQ(out.request_id.size(), 256U);
  const auto error = prepare_chat(begin + R"("request_id":")" + std::string(257, 'r') + R"("})", *context_, out);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, 400);
  EXPECT_EQ(error->param, "request_id");
  EXPECT_FALSE(prepare_chat(begin + R"("user":")" + std::string(255, 'u') + "\u00e4\"}", *context_, out));
  EXPECT_EQ(out.user, std::string(255, 'u')) << "not half of a character";
}

}  // namespace
}  // namespace seraph
