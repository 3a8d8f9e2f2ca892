#include "daemon/api/generative_scoring.h"

#include <cmath>

#include "tests/daemon/api/prepared.h"

namespace seraph {
namespace {

class GenerativeScoringTest : public PreparedTest {
 protected:
  std::string refusal(const std::string& members) {
    PreparedGeneration out;
    const auto error = prepare_scoring('{' + members + '}', *context_, out);
    return error ? error->message : "";
  }
};

TEST_F(GenerativeScoringTest, EveryItemIsAPromptWithTheQueryBeforeOrBehindIt) {
  PreparedGeneration out;
  ASSERT_FALSE(prepare_scoring(R"({"query":[15,20],"items":[[5,6],[7]],"label_token_ids":[15,20]})", *context_, out));
  ASSERT_EQ(out.prompts.size(), 2U);
  EXPECT_EQ(out.prompts[0].ids, (std::vector<TokenId>{15, 20, 5, 6}));
  EXPECT_EQ(out.prompts[1].ids, (std::vector<TokenId>{15, 20, 7}));
  EXPECT_EQ(out.prompts[0].tokens_max, 1);
  EXPECT_EQ(out.params.sampling.logprob_ids, (std::vector<TokenId>{15, 20}));
  PreparedGeneration first;
  ASSERT_FALSE(prepare_scoring(R"({"query":[15,20],"items":[[5,6]],"label_token_ids":[1],"item_first":true})",
                               *context_, first));
  EXPECT_EQ(first.prompts[0].ids, (std::vector<TokenId>{5, 6, 15, 20}));
}

TEST_F(GenerativeScoringTest, RefusesWhatCannotBeScored) {
  EXPECT_NE(refusal(R"("query":"a","items":["b"])").find("body.label_token_ids"), std::string::npos);
  EXPECT_EQ(refusal(R"("query":"a","items":[],"label_token_ids":[1])"), "items must contain at least one item.");
  EXPECT_EQ(refusal(R"("query":"a","items":["b"],"label_token_ids":[])"),
            "label_token_ids must contain at least one token ID.");
  EXPECT_EQ(refusal(R"("query":"a","items":["b"],"label_token_ids":[999])"),
            "label_token_id 999 is out of vocabulary range [0, 777). Please provide valid token IDs.");
  EXPECT_NE(refusal(R"("query":"a","items":["b",[1]],"label_token_ids":[1])"), "");
  EXPECT_NE(refusal(R"("query":[-1],"items":["b"],"label_token_ids":[1])"), "");
}

TEST_F(GenerativeScoringTest, ScoresAreSharesOfTheLabelsOrOfTheVocabulary) {
  PreparedGeneration request;
  request.prompts.resize(1);
  const auto body = [&](bool softmax) {
    request.softmax = softmax;
    const auto format = make_scoring_format({.endpoint = kScoring, .id = "s", .model = "tiny", .request = &request});
    std::vector<Choice> choices(1);
    // The drawn token, then the labels.
    choices[0].label_logprobs = {{3, -0.1F, 1}, {15, std::log(0.1F), 2}, {20, std::log(0.3F), 3}};
    const Json answer = Json::parse(format->body(choices, {.prompt_tokens = 2, .completion_tokens = 1})).value();
    return answer.find("data")->as_array()[0].find("score")->as_double();
  };
  EXPECT_NEAR(body(true), 0.25, 1e-6);
  EXPECT_NEAR(body(false), 0.1, 1e-6);
}

}  // namespace
}  // namespace seraph
