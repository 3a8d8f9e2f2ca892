#include "engine/pooling_head.h"

#include <cmath>
#include <cstring>

#include "tests/engine/checkpoint/checkpoint_folder.h"

namespace seraph {
namespace {

std::string bytes_of(const std::vector<float>& values) {
  std::string out(values.size() * sizeof(float), '\0');
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

using PoolingHeadTest = CheckpointFolder;

TEST_F(PoolingHeadTest, NoHeadHandsTheVectorOn) {
  PoolingPlan plan;
  DecoderSpec spec;
  spec.hidden = 3;
  const PoolingHead head = PoolingHead::load({.plan = &plan, .spec = &spec}).value();
  EXPECT_EQ(head.width(3), 3);
  std::vector<float> out(3);
  head.apply(std::vector<float>{1, 2, 3}, out);
  EXPECT_EQ(out, (std::vector<float>{1, 2, 3}));
}

TEST_F(PoolingHeadTest, ADenseModuleIsReadFromItsFolder) {
  write_tensors("model.safetensors",
                R"({"linear.weight":{"dtype":"F32","shape":[2,17],"data_offsets":[0,136]},)"
                R"("linear.bias":{"dtype":"F32","shape":[2],"data_offsets":[136,144]}})",
                bytes_of(std::vector<float>(34, 0.25F)) + bytes_of({0.5F, -9.0F}));
  PoolingPlan plan;
  plan.info.width = 2;
  plan.head = {.kind = PoolingHeadSpec::Kind::kDense,
               .folder = dir_.string(),
               .inputs = 17,
               .bias = true,
               .function = PoolingHeadSpec::Function::kTanh};
  DecoderSpec spec;
  spec.hidden = 17;
  const PoolingHead head = PoolingHead::load({.plan = &plan, .spec = &spec}).value();
  ASSERT_EQ(head.width(17), 2);
  std::vector<float> out(2);
  head.apply(std::vector<float>(17, 0.1F), out);
  EXPECT_NEAR(out[0], std::tanh(17 * 0.025F + 0.5F), 1e-6F);
  EXPECT_NEAR(out[1], std::tanh(17 * 0.025F - 9.0F), 1e-6F);
  spec.hidden = 16;
  EXPECT_EQ(PoolingHead::load({.plan = &plan, .spec = &spec}).error().param, "in_features");
}

TEST_F(PoolingHeadTest, TwoTokensJudgeByTheDifferenceOfTheirRows) {
  write_tensors("model.safetensors", R"({"lm_head.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]}})",
                bytes_of({1, 2, 30, 40, 500, 600}));
  const auto checkpoint = open().value();
  PoolingPlan plan;
  plan.info.width = 1;
  plan.head = {.kind = PoolingHeadSpec::Kind::kTokens, .tokens = {"no", "yes"}, .difference = true};
  DecoderSpec spec;
  spec.hidden = 2;
  spec.vocab_size = 3;
  const PoolingHead head =
      PoolingHead::load({.checkpoint = checkpoint.get(), .plan = &plan, .spec = &spec, .tokens = {2, 1}}).value();
  std::vector<float> out(1);
  head.apply(std::vector<float>{1, 1}, out);
  EXPECT_EQ(out[0], 30 + 40 - 500 - 600);
}

}  // namespace
}  // namespace seraph
