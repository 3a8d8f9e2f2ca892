#include "tests/engine/model/config_text.h"

namespace seraph {
namespace {

TEST(Qwen3, NormsHeadsAndHasAHeadSizeOfItsOwn) {
  const auto spec = read_as("Qwen3ForCausalLM", R"(,"num_key_value_heads":2)");
  ASSERT_TRUE(spec.ok()) << spec.error().text();
  EXPECT_TRUE(spec->qk_norm);
  EXPECT_FALSE(spec->qkv_bias || spec->output_bias);
  EXPECT_EQ(spec->head_dim, 128);
}

TEST(Qwen3, AttentionBiasMeansAllFourProjections) {
  const auto spec = read_as("Qwen3ForCausalLM", R"(,"num_key_value_heads":2,"attention_bias":true)");
  ASSERT_TRUE(spec.ok()) << spec.error().text();
  EXPECT_TRUE(spec->qkv_bias && spec->output_bias);
  EXPECT_FALSE(spec->mlp_bias);
}

}  // namespace
}  // namespace seraph
