#include "daemon/api/pooling.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

class PoolingTest : public testing::Test {
 protected:
  PoolingTest() {
    info_.vocab_size = tokenizer_->vocab_size();
    info_.max_model_len = 8;
    info_.pooling = {.task = PoolingInfo::Task::kEmbed,
                     .pooling = Pooling::kLast,
                     .activation = PoolingInfo::Activation::kNormalize,
                     .width = 2};
    options_.served_model_names = {"m"};
  }

  std::optional<ApiError> prepare(Endpoint endpoint, const std::string& body) {
    out_ = PreparedPooling{.endpoint = endpoint};
    const auto context = PrepareContext::make(*tokenizer_, info_, options_).value();
    return prepare_pooling(body, *context, out_);
  }
  std::string refusal(Endpoint endpoint, const std::string& body) {
    const auto error = prepare(endpoint, body);
    return error ? error->message : "no error";
  }
  std::string answer(std::vector<std::vector<float>> vectors) {
    EXPECT_FALSE(
        answer_pooling(out_, info_.pooling, {.id = "x", .model = "m", .created = 1}, std::move(vectors), got_));
    return got_.body;
  }

  const std::unique_ptr<Tokenizer> tokenizer_ = Tokenizer::load(SERAPH_SOURCE_DIR "/config/demo").value();
  EngineInfo info_;
  ApiOptions options_;
  PreparedPooling out_;
  PoolingAnswer got_;
};

TEST_F(PoolingTest, InputsAreTextsIdsOrListsOfEither) {
  EXPECT_FALSE(prepare(kEmbeddings, R"({"input": [5, 6, 7]})"));
  EXPECT_EQ(out_.prompts, (std::vector<std::vector<TokenId>>{{5, 6, 7}}));
  EXPECT_FALSE(prepare(kEmbeddings, R"({"input": [[5], [6, 7]], "model": "m"})"));
  EXPECT_EQ(out_.prompts.size(), 2U);
  EXPECT_EQ(out_.prompt_tokens, 3);
  EXPECT_FALSE(prepare(kPooling, R"({"input": ["a", "b", "c"]})"));
  EXPECT_EQ(out_.prompts.size(), 3U);
}

TEST_F(PoolingTest, WrongBodiesAreRefusedInPlainWords) {
  EXPECT_EQ(refusal(kEmbeddings, R"({"input": ""})"), "The decoder prompt cannot be empty");
  EXPECT_EQ(refusal(kEmbeddings, R"({"input": []})"), "You must pass at least one prompt");
  EXPECT_EQ(refusal(kEmbeddings, R"({"input": "a", "model": "x"})"), "The model `x` does not exist.");
  EXPECT_EQ(refusal(kEmbeddings, R"({"input": [99999999]})"), "Token id 99999999 is out of vocabulary");
  EXPECT_NE(refusal(kEmbeddings, R"({"input": [1,2,3,4,5,6,7,8,9]})").find("maximum context length is 8"),
            std::string::npos);
  EXPECT_NE(refusal(kEmbeddings, R"({"input": "a", "dimensions": 1})").find("does not support Matryoshka"),
            std::string::npos);
  EXPECT_NE(refusal(kEmbeddings, R"({"input": "a", "encoding_format": "hex"})").find("encoding_format"),
            std::string::npos);
  EXPECT_NE(refusal(kEmbeddings, R"({"input": "a", "normalize": false})").find("use_activation"), std::string::npos);
  EXPECT_NE(refusal(kEmbeddings, R"({"input": "a", "embed_dtype": "fp8_e4m3"})").find("not offered"),
            std::string::npos);
  EXPECT_NE(refusal(kPooling, R"({"input": "a", "task": "token_embed"})").find("--pooler-config.task token_embed"),
            std::string::npos);
  EXPECT_NE(refusal(kScore, R"({"queries": "a"})").find("body.documents"), std::string::npos);
  EXPECT_NE(refusal(kScore, R"({"queries": 5, "documents": "a"})").find("body.queries"), std::string::npos);
  EXPECT_EQ(refusal(kScore, R"({"queries": ["a", "b"], "documents": ["a"]})"),
            "Input lengths must be either 1:1, 1:N or N:N");
  EXPECT_EQ(refusal(kRerank, R"({"query": "a", "documents": []})"), "At least one text_pair element must be given");
  EXPECT_NE(refusal(kRerank, R"({"query": "a", "documents": ["b"], "top_n": -1})").find("body.top_n"),
            std::string::npos);
  options_.choices_max = 2;
  EXPECT_NE(refusal(kEmbeddings, R"({"input": ["a", "b", "c"]})").find("at most 2"), std::string::npos);
}

TEST_F(PoolingTest, CutTextsKeepTheirBeginningUnlessAsked) {
  EXPECT_FALSE(prepare(kEmbeddings, R"({"input": [1,2,3,4,5,6,7,8,9], "truncate_prompt_tokens": -1})"));
  EXPECT_EQ(out_.prompts[0], (std::vector<TokenId>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_FALSE(prepare(kEmbeddings, R"({"input": [1,2,3], "truncate_prompt_tokens": 2, "truncation_side": "left"})"));
  EXPECT_EQ(out_.prompts[0], (std::vector<TokenId>{2, 3}));
}

TEST_F(PoolingTest, DimensionsMayBeThoseOfTheCheckpoint) {
  info_.pooling.dimensions = {1};
  EXPECT_FALSE(prepare(kEmbeddings, R"({"input": [1], "dimensions": 1})"));
  EXPECT_NE(answer({{-4, 3}}).find("\"embedding\":[-1]"), std::string::npos);
  EXPECT_NE(refusal(kEmbeddings, R"({"input": [1], "dimensions": 2})").find("only supports [1]"), std::string::npos);
  info_.pooling.any_dimensions = true;
  EXPECT_NE(refusal(kEmbeddings, R"({"input": [1], "dimensions": 3})").find("from 1 to 2"), std::string::npos);
}

TEST_F(PoolingTest, ClassesHaveLabelsAndProbabilities) {
  info_.pooling = {.task = PoolingInfo::Task::kClassify,
                   .pooling = Pooling::kLast,
                   .activation = PoolingInfo::Activation::kSoftmax,
                   .width = 2,
                   .labels = {"no", "yes"},
                   .pad_token = 9};
  EXPECT_FALSE(prepare(kClassify, R"({"input": [4, 9, 9]})"));
  EXPECT_EQ(out_.prompts[0], (std::vector<TokenId>{4})) << "padding at the end is not what is pooled";
  EXPECT_EQ(out_.prompt_tokens, 3);
  EXPECT_NE(answer({{0, 0.5F}}).find(R"("label":"yes","probs":[0.37754068,0.62245935],"num_classes":2)"),
            std::string::npos);
}

TEST_F(PoolingTest, ARankingIsSortedAndCut) {
  EXPECT_FALSE(prepare(kRerank, R"({"query": "q", "documents": ["a", "b", "c"], "top_n": 2})"));
  ASSERT_EQ(out_.prompts.size(), 4U);
  const std::string body = answer({{1, 0}, {0, 1}, {1, 0}, {1, 1}});
  const size_t first = body.find(R"({"index":1,"document":{"text":"b","multi_modal":null},"relevance_score":1})");
  EXPECT_NE(first, std::string::npos) << body;
  EXPECT_GT(body.find(R"({"index":2,)"), first);
  EXPECT_EQ(body.find(R"({"index":0,)"), std::string::npos);
}

TEST_F(PoolingTest, PathsAreThoseOfTheModel) {
  const auto has = [&](std::string_view path) {
    const auto routes = pooling_routes(info_.pooling);
    return std::any_of(routes.begin(), routes.end(), [&](const PoolingRoute& route) { return path == route.path; });
  };
  EXPECT_TRUE(has("/v1/embeddings") && has("/pooling") && has("/v2/rerank"));
  EXPECT_FALSE(has("/classify"));
  info_.pooling.task = PoolingInfo::Task::kClassify;
  EXPECT_TRUE(has("/classify"));
  EXPECT_FALSE(has("/v1/embeddings") || has("/score")) << "two classes are no score";
  info_.pooling.width = 1;
  EXPECT_TRUE(has("/score"));
  EXPECT_TRUE(pooling_routes({}).empty());
}

}  // namespace
}  // namespace seraph
