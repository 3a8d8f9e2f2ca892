#include "tests/engine/model/config_text.h"

namespace seraph {
namespace {

TEST(Qwen2, HasBiasesOnQkvThatNoKeyMentions) {
  const auto spec = read_as("Qwen2ForCausalLM", R"(,"num_key_value_heads":2,"attention_bias":false)");
  ASSERT_TRUE(spec.ok()) << spec.error().text();
  EXPECT_TRUE(spec->qkv_bias);
  EXPECT_FALSE(spec->output_bias || spec->mlp_bias || spec->qk_norm);
  EXPECT_EQ(spec->head_dim, 64);
  EXPECT_EQ(spec->max_positions, 32768);
}

}  // namespace
}  // namespace seraph
