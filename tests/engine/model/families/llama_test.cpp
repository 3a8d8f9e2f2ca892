#include "tests/engine/model/config_text.h"

namespace seraph {
namespace {

TEST(Llama, LlamaFillsInWhatTheFileLeavesOut) {
  const auto spec = read(kLlama);
  ASSERT_TRUE(spec.ok()) << spec.error().text();
  EXPECT_EQ(spec->family, "llama");
  EXPECT_EQ(spec->num_kv_heads, 4);
  EXPECT_EQ(spec->head_dim, 64);
  EXPECT_EQ(spec->max_positions, 2048);
  EXPECT_FALSE(spec->tied_head || spec->qkv_bias || spec->output_bias || spec->mlp_bias || spec->qk_norm);
  EXPECT_EQ(spec->rope.scaling, RopeSpec::Scaling::kNone);
  EXPECT_EQ(spec->rope.rotary_dim, 64);
  EXPECT_EQ(spec->window, std::vector<int32_t>(4, 0));
}

TEST(Llama, LlamaBiasesFollowTheirKeys) {
  const auto spec = read(kLlama + R"(,"attention_bias":true,"mlp_bias":true)");
  ASSERT_TRUE(spec.ok());
  EXPECT_TRUE(spec->qkv_bias && spec->output_bias && spec->mlp_bias);
}

}  // namespace
}  // namespace seraph
