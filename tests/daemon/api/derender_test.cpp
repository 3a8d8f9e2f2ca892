#include "daemon/api/render.h"
#include "tests/daemon/api/prepared.h"

namespace seraph {
namespace {

class DerenderTest : public PreparedTest {
 protected:
  std::string ids_of(const std::string& text) {
    std::string out;
    for (const TokenId id : tokenizer_->encode(text, false)) out += (out.empty() ? "[" : ",") + std::to_string(id);
    return out + ']';
  }
};

TEST_F(DerenderTest, IdsBecomeTheAnswerOfAChat) {
  std::string out;
  const auto error = answer_derender_chat(
      R"({"prompt_tokens":7,"generate_response":{"request_id":"r","choices":[{"index":0,"finish_reason":"length","token_ids":)" +
          ids_of("The capital") + "}]}}",
      *context_, out);
  ASSERT_FALSE(error) << error->message;
  const Json answer = Json::parse(out).value();
  const Json& choice = answer.find("choices")->as_array()[0];
  EXPECT_EQ(choice.find("message")->find("content")->as_string(), "The capital");
  EXPECT_EQ(choice.find("finish_reason")->as_string(), "length");
  EXPECT_EQ(answer.find("usage")->find("prompt_tokens")->as_int(), 7);
  EXPECT_EQ(answer.find("usage")->find("completion_tokens")->as_int(), 2);
}

TEST_F(DerenderTest, TheParsersReadWhatTheRequestWants) {
  options_.tool_parser = "hermes";
  options_.enable_auto_tool_choice = true;
  reload();
  const std::string response = R"("generate_response":{"choices":[{"index":0,"token_ids":)" +
                               ids_of("<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>") + "}]}";
  std::string out;
  EXPECT_NE(answer_derender_chat('{' + response + '}', *context_, out)->message.find("chat_request is required"),
            std::string::npos);
  const std::string chat = R"("chat_request":{"messages":[{"role":"user","content":"Hello"}],)"
                           R"("tools":[{"type":"function","function":{"name":"f"}}]})";
  const auto error = answer_derender_chat('{' + response + ',' + chat + '}', *context_, out);
  ASSERT_FALSE(error) << error->message;
  const Json answer = Json::parse(out).value();
  const Json& choice = answer.find("choices")->as_array()[0];
  EXPECT_EQ(choice.find("finish_reason")->as_string(), "tool_calls");
  EXPECT_EQ(choice.find("message")->find("tool_calls")->as_array().size(), 1U) << out;
}

TEST_F(DerenderTest, TextsComeInTheirOrderWithLogProbabilities) {
  std::string out;
  const std::string first = R"({"choices":[{"index":0,"token_ids":[15],"logprobs":{"content":[)"
                            R"({"token_id":15,"logprob":-1.5,"top_logprobs":[{"token_id":15,"logprob":-1.5}]}]}}]})";
  const std::string second = R"({"choices":[{"index":0,"token_ids":[20]}]})";
  const auto error = answer_derender_completion(
      R"({"prompt_tokens":[3,4],"generate_responses":[)" + first + ',' + second + "]}", *context_, out);
  ASSERT_FALSE(error) << error->message;
  const Json answer = Json::parse(out).value();
  EXPECT_EQ(answer.find("choices")->as_array()[0].find("logprobs")->find("token_logprobs")->dump(), "[-1.5]");
  EXPECT_EQ(answer.find("choices")->as_array()[1].find("text")->as_string(), "5");
  EXPECT_EQ(answer.find("usage")->find("prompt_tokens")->as_int(), 7);
}

TEST_F(DerenderTest, RefusalsNameWhatIsMissing) {
  std::string out;
  EXPECT_EQ(answer_derender_chat("{}", *context_, out)->param, "body.DerenderChatRequest.generate_response");
  EXPECT_EQ(answer_derender_completion("{}", *context_, out)->param, "body.generate_responses");
  EXPECT_EQ(answer_derender_chat(R"({"stream":true})", *context_, out)->status, 501);
  for (const char* wrong :
       {R"({"generate_response":[]})", R"({"generate_response":{"choices":[]}})",
        R"({"generate_response":{"choices":[{"token_ids":[777]}]}})",
        R"({"generate_response":{"choices":[{"token_ids":"x"}]}})", R"({"generate_response":{"choices":7}})"}) {
    EXPECT_TRUE(answer_derender_chat(wrong, *context_, out)) << wrong;
  }
}

}  // namespace
}  // namespace seraph
