#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/model/decoder.h"
#include "engine/model/families/family.h"

namespace seraph {
namespace {

const std::string kLlama =
    R"("architectures":["LlamaForCausalLM"],"model_type":"llama","vocab_size":1000,"hidden_size":256,
       "intermediate_size":512,"num_hidden_layers":4,"num_attention_heads":4)";

/// The spec of a config with these members; later ones replace earlier ones.
Result<DecoderSpec> read(const std::string& members) {
  const auto dir = std::filesystem::temp_directory_path() / "seraph_families_test";
  std::filesystem::create_directories(dir);
  std::ofstream(dir / "config.json") << "{" << members << "}";
  auto checkpoint = Checkpoint::open(dir, Checkpoint::Weights::kIgnored, false);
  if (!checkpoint.ok()) return std::move(checkpoint.error());
  return read_decoder_spec(**checkpoint);
}

Result<DecoderSpec> read_as(const char* architecture, const std::string& more) {
  return read(kLlama + R"(,"architectures":[")" + architecture + "\"]" + more);
}

/// The error of a Llama config with these changes, which must name each of `words`.
void expect_error(const std::string& changes, const std::vector<std::string>& words) {
  const auto spec = read(kLlama + "," + changes);
  ASSERT_FALSE(spec.ok()) << changes;
  for (const auto& word : words) {
    EXPECT_NE(spec.error().text().find(word), std::string::npos) << changes << ": " << spec.error().text();
  }
  EXPECT_NE(spec.error().message.find("config.json: "), std::string::npos) << spec.error().text();
  EXPECT_FALSE(spec.error().remedy.empty()) << spec.error().text();
}

TEST(Families, LlamaFillsInWhatTheFileLeavesOut) {
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

TEST(Families, LlamaBiasesFollowTheirKeys) {
  const auto spec = read(kLlama + R"(,"attention_bias":true,"mlp_bias":true)");
  ASSERT_TRUE(spec.ok());
  EXPECT_TRUE(spec->qkv_bias && spec->output_bias && spec->mlp_bias);
}

TEST(Families, NumbersMayBeWrittenAsFloats) {
  const auto spec = read(kLlama + R"(,"hidden_size":256.0,"rope_theta":500000,"rms_norm_eps":1)");
  ASSERT_TRUE(spec.ok()) << spec.error().text();
  EXPECT_EQ(spec->hidden, 256);
  EXPECT_EQ(spec->rope.base, 500000.0);
}

TEST(Families, QwenHasBiasesAndQwen3HeadNorms) {
  const auto qwen2 = read_as("Qwen2ForCausalLM", R"(,"num_key_value_heads":2)");
  ASSERT_TRUE(qwen2.ok()) << qwen2.error().text();
  EXPECT_TRUE(qwen2->qkv_bias);
  EXPECT_FALSE(qwen2->output_bias || qwen2->qk_norm);
  const auto qwen3 = read_as("Qwen3ForCausalLM", R"(,"num_key_value_heads":2)");
  ASSERT_TRUE(qwen3.ok());
  EXPECT_TRUE(qwen3->qk_norm);
  EXPECT_FALSE(qwen3->qkv_bias);
  EXPECT_EQ(qwen3->head_dim, 128);
}

TEST(Families, QwenWindowsNeedTheSwitchAndFollowLayerTypesOrTheFirstWindowedLayer) {
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

TEST(Families, MistralHasAWindowInEveryLayerUnlessItIsNull) {
  const std::string kv = R"(,"num_key_value_heads":2)";
  EXPECT_EQ(read_as("MistralForCausalLM", kv + R"(,"sliding_window":32)")->window, std::vector<int32_t>(4, 32));
  EXPECT_EQ(read_as("MistralForCausalLM", kv + R"(,"sliding_window":null)")->window, std::vector<int32_t>(4, 0));
  EXPECT_EQ(read_as("MistralForCausalLM", kv)->window, std::vector<int32_t>(4, 4096));
  EXPECT_EQ(read_as("MistralForCausalLM", kv + R"(,"head_dim":80)")->head_dim, 80);
}

TEST(Families, BothRopeDialectsMeanTheSame) {
  const char* scalings[] = {
      R"("factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64)"};
  for (const char* values : scalings) {
    const std::string v = values;
    for (const auto& config :
         {R"(,"rope_theta":5e5,"rope_scaling":{"type":"llama3",)" + v + "}",
          R"(,"rope_theta":5e5,"rope_scaling":{"rope_type":"llama3","type":"yarn",)" + v + "}",
          R"(,"rope_parameters":{"rope_theta":5e5,"rope_type":"llama3",)" + v + "}",
          R"(,"rope_theta":5e5,"rope_scaling":null,"rope_parameters":{"rope_type":"llama3",)" + v + "}"}) {
      const auto spec = read(kLlama + config);
      ASSERT_TRUE(spec.ok()) << spec.error().text();
      EXPECT_EQ(spec->rope.scaling, RopeSpec::Scaling::kLlama3);
      EXPECT_EQ(spec->rope.base, 5e5);
      EXPECT_EQ(spec->rope.factor, 8.0);
      EXPECT_EQ(spec->rope.original_positions, 64.0);
      EXPECT_EQ(spec->max_positions, 2048);
    }
  }
}

TEST(Families, YarnTakesItsFactorAsGivenAndReachesFactorTimesTheTrainedContext) {
  const auto spec = read(kLlama + R"(,"max_position_embeddings":32,"rope_scaling":
      {"type":"yarn","factor":4.0,"original_max_position_embeddings":32})");
  ASSERT_TRUE(spec.ok()) << spec.error().text();
  EXPECT_EQ(spec->rope.factor, 4.0);
  EXPECT_EQ(spec->max_positions, 128);
  EXPECT_NEAR(spec->rope.attention_factor, 1.1386294361, 1e-9);
  const auto ratio = read(kLlama + R"(,"max_position_embeddings":256,"rope_scaling":
      {"type":"yarn","factor":null,"original_max_position_embeddings":32,"mscale":0.707,"mscale_all_dim":0.707})");
  ASSERT_TRUE(ratio.ok()) << ratio.error().text();
  EXPECT_EQ(ratio->rope.factor, 8.0);
  EXPECT_EQ(ratio->rope.attention_factor, 1.0);
}

TEST(Families, DynamicAndLinearScalingStretchTheContext) {
  const auto spec = read(kLlama + R"(,"max_position_embeddings":64,"rope_scaling":{"type":"dynamic","factor":2.0})");
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->rope.original_positions, 64.0);
  EXPECT_EQ(spec->max_positions, 128);
  EXPECT_EQ(read(kLlama + R"(,"rope_scaling":{"type":"linear","factor":4})")->max_positions, 8192);
}

TEST(Families, AnUnknownArchitectureIsRefusedWithTheOnesThatExist) {
  for (const char* name : {"MixtralForCausalLM", "Qwen2MoeForCausalLM", "Gemma2ForCausalLM", "Qwen2Model"}) {
    const auto spec = read_as(name, "");
    ASSERT_FALSE(spec.ok());
    EXPECT_EQ(spec.error().code, ErrorCode::kUnsupported);
    for (const char* word : {name, "LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"}) {
      EXPECT_NE(spec.error().message.find(word), std::string::npos) << spec.error().text();
    }
  }
  EXPECT_TRUE(read(kLlama + R"(,"architectures":null)").ok()) << "model_type alone serves";
  EXPECT_FALSE(read(R"("hidden_size":4)").ok());
}

TEST(Families, EveryValueIsRangeCheckedByName) {
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

TEST(Families, BrokenRopeScalingsAreNamed) {
  expect_error(R"("rope_scaling":{"type":"longrope"})", {"rope_scaling.rope_type", "longrope", "yarn"});
  expect_error(R"("rope_scaling":[1])", {"rope_scaling", "object"});
  expect_error(R"("rope_scaling":{"type":"linear"})", {"rope_scaling.factor", "missing"});
  expect_error(R"("rope_parameters":{"rope_type":"linear","factor":0})", {"rope_parameters.factor"});
  expect_error(R"("rope_scaling":{"type":"llama3","factor":8})", {"low_freq_factor", "missing"});
  expect_error(R"("rope_scaling":{"type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4})",
               {"high_freq_factor"});
  expect_error(R"("rope_scaling":{"type":"dynamic","factor":0.5})", {"factor"});
  expect_error(R"("rope_scaling":{"type":"yarn","factor":4,"beta_fast":1,"beta_slow":2})", {"beta_fast"});
  expect_error(R"("max_position_embeddings":100000000,"rope_scaling":{"type":"linear","factor":1000})",
               {"max_position_embeddings"});
  expect_error(R"("rope_parameters":{"full_attention":{"rope_type":"default"}})", {"layer type"});
}

}  // namespace
}  // namespace seraph
