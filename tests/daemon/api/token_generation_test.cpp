#include "daemon/api/token_generation.h"

#include "tests/daemon/api/prepared.h"

namespace seraph {
namespace {

class TokenGenerationTest : public PreparedTest {
 protected:
  std::optional<ApiError> prepare(const std::string& members) {
    out_ = {};
    return prepare_tokens('{' + members + '}', *context_, out_);
  }
  PreparedGeneration out_;
};

TEST_F(TokenGenerationTest, IdsAreThePromptAndWithoutALimitAllThatFitsComes) {
  ASSERT_FALSE(prepare(R"("token_ids":[15,20],"sampling_params":{"max_tokens":4,"temperature":0,"logprobs":1})"));
  EXPECT_EQ(out_.prompts[0].ids, (std::vector<TokenId>{15, 20}));
  EXPECT_EQ(out_.prompts[0].tokens_max, 4);
  EXPECT_EQ(out_.params.sampling.num_logprobs, 1);
  EXPECT_TRUE(out_.params.return_token_ids);
  ASSERT_FALSE(prepare(R"("token_ids":[15,20],"sampling_params":{"unknown":1},"stream":true)"));
  EXPECT_EQ(out_.prompts[0].tokens_max, 510);
  EXPECT_TRUE(out_.params.stream);
}

TEST_F(TokenGenerationTest, RefusalsNameTheField) {
  const auto param = [&](const std::string& members) { return prepare(members)->param.value_or("-"); };
  EXPECT_EQ(param(R"("token_ids":[1])"), "body.sampling_params");
  EXPECT_EQ(param(R"("sampling_params":{})"), "body.token_ids");
  EXPECT_EQ(param(R"("token_ids":[],"sampling_params":{})"), "body.token_ids");
  EXPECT_EQ(param(R"("token_ids":[1],"sampling_params":{"temperature":-1})"), "temperature");
  EXPECT_EQ(param(R"("token_ids":[1],"sampling_params":{"top_k":"x"})"), "body.sampling_params.top_k");
  EXPECT_EQ(prepare(R"("token_ids":[777],"sampling_params":{})")->message, "Token id 777 is out of vocabulary");
  EXPECT_EQ(prepare(R"("model":"x","token_ids":[1],"sampling_params":{})")->status, 404);
  EXPECT_TRUE(prepare(R"("token_ids":[1],"sampling_params":{"n":9}})"));
}

TEST_F(TokenGenerationTest, AnswersWithIdsAndWithTextWhenThatIsAskedFor) {
  std::vector<Choice> choices(1);
  choices[0].ids = {15, 231};
  choices[0].text = "0x";
  for (const char* mode : {"tokens", "text"}) {
    ASSERT_FALSE(prepare(R"("token_ids":[15],"sampling_params":{},"output_mode":")" + std::string(mode) + '"'));
    const auto format = make_tokens_format({.endpoint = kTokens, .id = "r", .model = "tiny", .request = &out_});
    const Json answer = Json::parse(format->body(choices, {.prompt_tokens = 1, .completion_tokens = 2})).value();
    const Json& choice = answer.find("choices")->as_array()[0];
    EXPECT_EQ(answer.find("output_mode")->as_string(), mode);
    EXPECT_EQ(choice.find("token_ids")->dump(), "[15,231]");
    EXPECT_EQ(choice.find("weight_versions")->dump(), R"([{"version":"default","start":0,"end":2}])");
    EXPECT_EQ(choice.find("text") != nullptr, std::string(mode) == "text");
  }
}

TEST_F(TokenGenerationTest, StreamsCountTheTokensOfEachChoice) {
  ASSERT_FALSE(prepare(R"("token_ids":[15],"sampling_params":{},"stream":true)"));
  const auto format = make_tokens_format({.endpoint = kTokens, .id = "r", .model = "tiny", .request = &out_});
  std::string out;
  const std::vector<TokenId> first = {1, 2};
  const std::vector<TokenId> second = {3};
  format->append_delta(out, {.ids = first, .first = true});
  format->append_delta(out, {.ids = second, .finish_reason = "stop"});
  format->end_stream(out, {});
  EXPECT_NE(out.find("\"token_ids\":[1,2]"), std::string::npos) << out;
  EXPECT_NE(out.find("\"end\":3}"), std::string::npos) << out;
  EXPECT_TRUE(out.ends_with("data: [DONE]\n\n")) << out;
}

TEST_F(TokenGenerationTest, AbortsNameRequests) {
  std::unordered_set<std::string> ids;
  EXPECT_FALSE(read_abort(R"({"request_ids":["a","b"]})", ids));
  EXPECT_EQ(ids.size(), 2U);
  EXPECT_TRUE(read_abort("{}", ids));
  EXPECT_TRUE(read_abort("[", ids));
  EXPECT_TRUE(read_abort("[]", ids));
}

}  // namespace
}  // namespace seraph
