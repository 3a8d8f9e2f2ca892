#include "engine/pooling_config.h"

#include "tests/engine/checkpoint/checkpoint_folder.h"

namespace seraph {
namespace {

using Task = PoolingInfo::Task;
using Activation = PoolingInfo::Activation;

class PoolingConfig : public CheckpointFolder {
 protected:
  Result<PoolingPlan> plan(const std::string& config, const PoolingChoices& choices = {}) const {
    write("config.json", config);
    return plan_pooling(*Checkpoint::open(dir_, Checkpoint::Weights::kIgnored, false).value(), choices);
  }
  void write_modules(const std::string& modes, bool normalize, bool dense = false) const {
    const std::string type = R"("type": "sentence_transformers.models.)";
    std::string modules = "[{\"path\": \"1_Pooling\", " + type + "Pooling\"}";
    if (dense) modules += ",{\"path\": \"2_Dense\", " + type + "Dense\"}";
    if (normalize) modules += ",{\"path\": \"3_Normalize\", " + type + "Normalize\"}";
    write("modules.json", modules + "]");
    std::filesystem::create_directories(dir_ / "1_Pooling");
    write("1_Pooling/config.json", modes);
  }
  static Json parse(const char* text) { return Json::parse(text).value(); }
};

constexpr const char* kGenerates = R"({"architectures": ["LlamaForCausalLM"]})";
constexpr const char* kTrunk = R"({"architectures": ["Qwen2Model"]})";
constexpr const char* kOnWish = R"({"architectures": ["Qwen3ForCausalLM"], "classifier_from_token": ["no", "yes"],
                                    "is_original_qwen3_reranker": true})";

TEST_F(PoolingConfig, AGeneratingModelPoolsOnlyWhenAsked) {
  EXPECT_FALSE(plan(kGenerates)->info.pools());
  const PoolingPlan asked = plan(kGenerates, {.runner = "pooling"}).value();
  EXPECT_EQ(asked.info.task, Task::kEmbed);
  EXPECT_EQ(asked.info.pooling, Pooling::kLast);
  EXPECT_EQ(asked.info.activation, Activation::kNormalize);
  EXPECT_TRUE(plan(kTrunk)->info.pools());
  EXPECT_EQ(plan(kTrunk, {.runner = "generate"}).error().param, "runner");
}

TEST_F(PoolingConfig, ModulesOfSentenceTransformersDecidePoolingHeadAndNorm) {
  write_modules(
      R"({"pooling_mode_max_tokens": true, "pooling_mode_mean_sqrt_len_tokens": true, "include_prompt": true})", false);
  const PoolingPlan mean = plan(kGenerates).value();
  EXPECT_EQ(mean.info.pooling, Pooling::kMean);
  EXPECT_EQ(mean.info.activation, Activation::kNone);
  EXPECT_FALSE(plan(kGenerates, {.runner = "generate"})->info.pools());

  write_modules(R"({"pooling_mode_cls_token": true})", true, true);
  std::filesystem::create_directories(dir_ / "2_Dense");
  write("2_Dense/config.json", R"({"in_features": 8, "out_features": 3, "bias": false,
                                   "activation_function": "torch.nn.modules.linear.Identity"})");
  const PoolingPlan dense = plan(kGenerates).value();
  EXPECT_TRUE(dense.info.first_token_only);
  EXPECT_EQ(dense.info.activation, Activation::kNormalize);
  EXPECT_EQ(dense.info.width, 3);
  EXPECT_EQ(dense.head.kind, PoolingHeadSpec::Kind::kDense);
  EXPECT_EQ(dense.head.function, PoolingHeadSpec::Function::kIdentity);
  EXPECT_FALSE(dense.head.bias);

  write("2_Dense/config.json", R"({"in_features": 8, "out_features": 3, "activation_function": "a.Mystery"})");
  EXPECT_EQ(plan(kGenerates).error().code, ErrorCode::kUnsupported);
  write("modules.json", "{}");
  EXPECT_EQ(plan(kGenerates).error().code, ErrorCode::kCorrupt);
}

TEST_F(PoolingConfig, DimensionsAreThoseThatConfigNames) {
  EXPECT_TRUE(plan(R"({"architectures": ["Qwen2Model"], "is_matryoshka": true})")->info.any_dimensions);
  const PoolingPlan listed =
      plan(R"({"architectures": ["Qwen2Model"], "is_matryoshka": true, "matryoshka_dimensions": [16, "x", 32]})")
          .value();
  EXPECT_EQ(listed.info.dimensions, (std::vector<int32_t>{16, 32}));
  EXPECT_FALSE(listed.info.any_dimensions);
}

TEST_F(PoolingConfig, ClassifiersHaveLabelsAndTheirActivation) {
  write_tensors("model.safetensors", R"({"score.weight":{"dtype":"F32","shape":[3,1],"data_offsets":[0,12]}})",
                std::string(12, '\0'));
  const auto of = [&](const std::string& more) {
    write("config.json", R"({"architectures": ["LlamaForSequenceClassification"], "pad_token_id": 7)" + more + "}");
    return plan_pooling(*Checkpoint::open(dir_, Checkpoint::Weights::kRequired, false).value(), {});
  };
  const PoolingPlan three = of(R"(, "id2label": {"0": "bad", "1": "fair", "2": "good"})").value();
  EXPECT_EQ(three.info.task, Task::kClassify);
  EXPECT_EQ(three.info.labels, (std::vector<std::string>{"bad", "fair", "good"}));
  EXPECT_EQ(three.info.activation, Activation::kSoftmax);
  EXPECT_EQ(three.info.pad_token, 7);
  EXPECT_TRUE(three.info.pairs_have_separator);
  EXPECT_EQ(of("")->info.width, 2);
  EXPECT_EQ(of(R"(, "num_labels": 1)")->info.activation, Activation::kSigmoid);
  EXPECT_EQ(of(R"(, "problem_type": "multi_label_classification")")->info.activation, Activation::kSigmoid);
  EXPECT_EQ(of(R"(, "problem_type": "regression")")->info.activation, Activation::kNone);
  EXPECT_FALSE(of(R"(, "use_pad_token": false)")->info.pairs_have_separator);
  EXPECT_FALSE(of(R"(, "num_labels": -1)").ok());
}

TEST_F(PoolingConfig, AnAnswersTokensCanClassify) {
  const PoolingPlan two_way = plan(kOnWish, {.runner = "pooling", .convert = "classify"}).value();
  EXPECT_EQ(two_way.head.kind, PoolingHeadSpec::Kind::kTokens);
  EXPECT_TRUE(two_way.head.difference);
  EXPECT_EQ(two_way.info.width, 1);
  EXPECT_FALSE(two_way.info.pairs_have_separator);
  const auto none = plan(kGenerates, {.runner = "pooling", .convert = "classify"});
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.error().text().find("classifier_from_token"), std::string::npos);
}

TEST_F(PoolingConfig, ThePoolerConfigWinsOverTheFiles) {
  PoolingChoices choices{.runner = "pooling", .pooler = parse(R"({"pooling_type": "mean", "normalize": false})")};
  const PoolingPlan plain = plan(kGenerates, choices).value();
  EXPECT_EQ(plain.info.pooling, Pooling::kMean);
  EXPECT_FALSE(plain.info.use_activation);
  for (const char* wrong :
       {R"({"pooling_type": "STEP"})", R"({"normalize": 3})", R"({"task": "token_embed"})", R"({"x": 1})"}) {
    choices.pooler = parse(wrong);
    EXPECT_EQ(plan(kGenerates, choices).error().param, "pooler-config") << wrong;
  }
}

}  // namespace
}  // namespace seraph
