#include "tests/engine/model/config_text.h"

namespace seraph {
namespace {

TEST(Block, NumbersMayBeWrittenAsFloats) {
  const auto spec = read(kLlama + R"(,"hidden_size":256.0,"rope_theta":500000,"rms_norm_eps":1)");
  ASSERT_TRUE(spec.ok()) << spec.error().text();
  EXPECT_EQ(spec->hidden, 256);
  EXPECT_EQ(spec->rope.base, 500000.0);
}

TEST(Block, QwenWindowsNeedTheSwitchAndFollowLayerTypesOrTheFirstWindowedLayer) {
  const std::string kv = R"(,"num_key_value_heads":2,"sliding_window":24)";
  EXPECT_EQ(read_as("Qwen2ForCausalLM", kv + R"(,"max_window_layers":1)")->window, (std::vector<int32_t>{0, 0, 0, 0}));
  EXPECT_EQ(read_as("Qwen2ForCausalLM", kv + R"(,"use_sliding_window":true,"max_window_layers":1)")->window,
            (std::vector<int32_t>{0, 24, 24, 24}));
  EXPECT_EQ(read_as("Qwen3ForCausalLM", kv + R"(,"use_sliding_window":true,"max_window_layers":0,"layer_types":
          ["full_attention","sliding_attention","full_attention","full_attention"])")
                ->window,
            (std::vector<int32_t>{0, 24, 0, 0}));
  const std::string on = kv + R"(,"use_sliding_window":true)";
  EXPECT_FALSE(read_as("Qwen2ForCausalLM", on + R"(,"layer_types":["full_attention"])").ok());
  EXPECT_FALSE(read_as("Qwen2ForCausalLM", on + R"(,"layer_types":["full_attention","x",1,2])").ok());
}

TEST(Block, EveryValueIsRangeCheckedByName) {
  for (const char* key :
       {"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size"}) {
    const std::string name = std::string("\"") + key + "\":";
    for (const char* value : {"0", "-1", "1e18", "3.5", "\"7\"", "[]", "true"}) expect_error(name + value, {key});
    expect_error(name + "null", {key, "is missing"});
  }
  expect_error(R"("num_attention_heads":3)", {"hidden_size", "256"});
  expect_error(R"("num_key_value_heads":3)", {"num_key_value_heads", "does not divide"});
  expect_error(R"("head_dim":63)", {"head_dim", "even"});
  expect_error(R"("head_dim":5000)", {"head_dim", "1024"});
  expect_error(R"("rms_norm_eps":-1e-6)", {"rms_norm_eps"});
  expect_error(R"("tie_word_embeddings":"yes")", {"tie_word_embeddings"});
  expect_error(R"("attention_bias":1)", {"attention_bias"});
  expect_error(R"("hidden_act":"gelu")", {"hidden_act", "gelu", "silu"});
  expect_error(R"("torch_dtype":"float8_e4m3fn")", {"torch_dtype", "float8_e4m3fn"});
  expect_error(R"("max_position_embeddings":0)", {"max_position_embeddings"});
  expect_error(R"("rope_theta":-5)", {"rope_theta"});
  expect_error(R"("partial_rotary_factor":1.5)", {"partial_rotary_factor"});
}

}  // namespace
}  // namespace seraph
