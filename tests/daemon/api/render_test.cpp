#include "daemon/api/render.h"

#include "tests/daemon/api/prepared.h"

namespace seraph {
namespace {

class RenderTest : public PreparedTest {
 protected:
  Json chat(const std::string& members) {
    std::string out;
    const auto error =
        answer_render_chat(R"({"messages":[{"role":"user","content":"Hello"}],)" + members + '}', *context_, out);
    EXPECT_FALSE(error) << error->message;
    return error ? Json() : Json::parse(out).value();
  }
};

TEST_F(RenderTest, AChatBecomesTheBodyOfATokenRequest) {
  const Json request = chat(R"("model":"tiny","max_tokens":4,"temperature":0,"request_id":"r")");
  EXPECT_EQ(request.find("request_id")->as_string(), "chatcmpl-r");
  EXPECT_EQ(request.find("token_ids")->as_array().size(), 15U);
  const Json& sampling = *request.find("sampling_params");
  EXPECT_EQ(sampling.find("max_tokens")->as_int(), 4);
  EXPECT_EQ(sampling.find("top_p"), nullptr) << "greedy";
  EXPECT_EQ(chat(R"("temperature":0.5)").find("sampling_params")->find("temperature")->dump(), "0.5");
}

TEST_F(RenderTest, WhatConstrainsTheAnswerGoesAlong) {
  const Json request = chat(R"("structured_outputs":{"regex":"a+"},"stop":["x"],"seed":-5,"stream":true)");
  const Json& sampling = *request.find("sampling_params");
  EXPECT_EQ(sampling.find("structured_outputs")->dump(), R"({"regex":"a+"})");
  EXPECT_EQ(sampling.find("stop")->dump(), R"(["x"])");
  EXPECT_EQ(sampling.find("seed")->as_int(), -5);
  EXPECT_EQ(sampling.find("output_kind")->as_int(), 1);
}

TEST_F(RenderTest, EveryPromptOfACompletionIsARequest) {
  std::string out;
  ASSERT_FALSE(answer_render_completion(R"({"prompt":["A","B"],"max_tokens":3})", *context_, out));
  const Json requests = Json::parse(out).value();
  ASSERT_EQ(requests.as_array().size(), 2U);
  EXPECT_TRUE(requests.as_array()[1].find("request_id")->as_string().ends_with("-1"));
}

TEST_F(RenderTest, TheOtherFormsAreTranslatedFirst) {
  std::string out;
  ASSERT_FALSE(answer_render_messages(
      R"({"model":"tiny","max_tokens":4,"messages":[{"role":"user","content":"Hello"}]})", *context_, out));
  EXPECT_EQ(Json::parse(out)->find("token_ids")->as_array().size(), 15U);
  ASSERT_FALSE(answer_render_responses(R"({"input":"Hello"})", *context_, out));
  EXPECT_EQ(Json::parse(out)->find("token_ids")->as_array().size(), 15U);
  EXPECT_TRUE(answer_render_responses(R"({"input":"Hello","previous_response_id":"resp_x"})", *context_, out));
  EXPECT_TRUE(answer_render_chat(R"({"messages":[],"use_beam_search":true})", *context_, out));
  EXPECT_EQ(answer_render_chat("[", *context_, out)->status, 400);
}

}  // namespace
}  // namespace seraph
