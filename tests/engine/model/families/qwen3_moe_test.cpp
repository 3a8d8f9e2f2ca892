#include "tests/engine/model/config_text.h"

namespace seraph {
namespace {

constexpr const char* kMoe = R"(,"num_key_value_heads":2,"num_experts":8,"num_experts_per_tok":2,
                                "moe_intermediate_size":64)";

Result<DecoderSpec> read_moe(const std::string& more = "") {
  return read_as("Qwen3MoeForCausalLM", std::string(kMoe) + more);
}

TEST(Qwen3Moe, EveryLayerHasExpertsUnlessTheConfigSaysOtherwise) {
  const auto spec = read_moe();
  ASSERT_TRUE(spec.ok()) << spec.error().text();
  EXPECT_TRUE(spec->qk_norm);
  EXPECT_EQ(spec->experts.count, 8);
  EXPECT_EQ(spec->experts.top_k, 2);
  EXPECT_EQ(spec->experts.intermediate, 64);
  EXPECT_FALSE(spec->experts.normalise);
  EXPECT_EQ(spec->experts.layers, std::vector<bool>(4, true));
  EXPECT_EQ(spec->mlp_width(0), 8 * 64);

  const auto some = read_moe(R"(,"decoder_sparse_step":2,"mlp_only_layers":[3],"norm_topk_prob":true)");
  ASSERT_TRUE(some.ok()) << some.error().text();
  EXPECT_TRUE(some->experts.normalise);
  EXPECT_EQ(some->experts.layers, (std::vector<bool>{false, true, false, false}));
  EXPECT_EQ(some->mlp_width(0), 512);
}

TEST(Qwen3Moe, TheNewerNameOfTheCountIsRead) {
  const auto spec = read_as("Qwen3MoeForCausalLM", R"(,"num_key_value_heads":2,"num_local_experts":4,
                                                      "num_experts_per_tok":1,"moe_intermediate_size":64)");
  ASSERT_TRUE(spec.ok()) << spec.error().text();
  EXPECT_EQ(spec->experts.count, 4);
}

TEST(Qwen3Moe, ImpossibleMixturesAreErrors) {
  EXPECT_FALSE(read_moe(R"(,"num_experts_per_tok":9)").ok());
  EXPECT_FALSE(read_moe(R"(,"num_experts":0)").ok());
  EXPECT_FALSE(read_moe(R"(,"moe_intermediate_size":-1)").ok());
  EXPECT_FALSE(read_moe(R"(,"mlp_only_layers":"all")").ok());
  EXPECT_FALSE(read_moe(R"(,"mlp_only_layers":[1.5])").ok());
}

}  // namespace
}  // namespace seraph
