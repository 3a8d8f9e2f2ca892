#include <spdlog/fmt/fmt.h>

#include "engine/checkpoint/safetensors.h"
#include "engine/model/families/family.h"
#include "engine/model/rope_config.h"

namespace seraph {
namespace {

// Several times what the largest known models have; beyond it a config is broken.
constexpr int64_t kHiddenMax = 1 << 17;
constexpr int64_t kIntermediateMax = 1 << 20;
constexpr int64_t kLayersMax = 1024;
constexpr int64_t kHeadsMax = 4096;
constexpr int64_t kHeadDimMax = 1024;
constexpr int64_t kVocabMax = 1 << 23;
constexpr int64_t kPositionsMax = 1 << 30;

int32_t required(ConfigReader& config, const char* key, int64_t max) {
  return static_cast<int32_t>(config.required_integer(key, 1, max));
}

int32_t optional(ConfigReader& config, const char* key, int64_t fallback, int64_t max) {
  return static_cast<int32_t>(config.integer(key, fallback, 1, max));
}

void read_heads(ConfigReader& config, DecoderSpec& spec, const BlockDefaults& defaults) {
  spec.num_heads = required(config, "num_attention_heads", kHeadsMax);
  const bool kv_is_null = config.is_null("num_key_value_heads");
  const int32_t kv_default = kv_is_null || defaults.num_kv_heads == 0 ? spec.num_heads : defaults.num_kv_heads;
  spec.num_kv_heads = optional(config, "num_key_value_heads", kv_default, kHeadsMax);
  if (spec.num_heads % spec.num_kv_heads != 0) {
    config.fail("num_key_value_heads",
                fmt::format("is {}, which does not divide the {} attention heads", spec.num_kv_heads, spec.num_heads));
  }
  spec.head_dim = optional(config, "head_dim", defaults.head_dim, kHeadDimMax);
  if (spec.head_dim == 0) {
    spec.head_dim = spec.hidden / spec.num_heads;
    if (spec.hidden % spec.num_heads != 0 || spec.head_dim > kHeadDimMax) {
      config.fail("hidden_size",
                  fmt::format("is {}: with {} attention heads and no head_dim it must be a multiple of that, "
                              "by at most {}",
                              spec.hidden, spec.num_heads, kHeadDimMax));
    }
  }
}

DType read_stored_dtype(ConfigReader& config) {
  const char* key = config.has("dtype") ? "dtype" : "torch_dtype";
  const std::string name = config.text(key, "float32");  // what transformers assumes of a file that is silent
  if (name == "bfloat16") return DType::kBf16;
  if (name == "float16") return DType::kF16;
  if (name != "float32") {
    config.fail(Error{
        ErrorCode::kUnsupported,
        fmt::format("{}: {} is {}, supported are bfloat16, float16 and float32", config.file(), key, in_quotes(name)),
        "convert the checkpoint to one of these", key});
  }
  return DType::kF32;
}

}  // namespace

DecoderSpec read_llama_block(ConfigReader& config, std::string_view family, const BlockDefaults& defaults) {
  DecoderSpec spec;
  spec.family = family;
  spec.num_layers = required(config, "num_hidden_layers", kLayersMax);
  spec.hidden = required(config, "hidden_size", kHiddenMax);
  spec.intermediate = required(config, "intermediate_size", kIntermediateMax);
  spec.vocab_size = required(config, "vocab_size", kVocabMax);
  read_heads(config, spec, defaults);
  spec.max_positions = optional(config, "max_position_embeddings", defaults.max_positions, kPositionsMax);
  spec.norm_eps = static_cast<float>(config.number("rms_norm_eps", 1e-6, 0.0, 1.0));
  spec.tied_head = config.boolean("tie_word_embeddings", false);
  spec.stored_dtype = read_stored_dtype(config);
  spec.window.assign(static_cast<size_t>(spec.num_layers), 0);
  const std::string activation = config.text("hidden_act", "silu");
  if (activation != "silu" && activation != "swish") {
    config.fail(Error{
        ErrorCode::kUnsupported,
        fmt::format("{}: hidden_act is {}, this family runs with silu only", config.file(), in_quotes(activation)),
        "use a model with silu", "hidden_act"});
  }
  read_rope(config, spec);
  return spec;
}

void read_qwen_windows(ConfigReader& config, DecoderSpec& spec) {
  const bool use_window = config.boolean("use_sliding_window", false);
  const bool no_window = !use_window || config.is_null("sliding_window");
  const auto window = no_window ? 0 : static_cast<int32_t>(config.integer("sliding_window", 4096, 1, kWindowMax));
  const Json* types = config.find("layer_types");
  if (types == nullptr) {
    const int64_t first = config.integer("max_window_layers", 28, 0, kWindowMax);
    for (int64_t i = first; i < spec.num_layers; ++i) spec.window[static_cast<size_t>(i)] = window;
    return;
  }
  if (!types->is_array() || types->as_array().size() != spec.window.size()) {
    config.fail("layer_types", fmt::format("must be a list of num_hidden_layers = {} names", spec.num_layers));
    return;
  }
  for (size_t i = 0; i < spec.window.size(); ++i) {
    const Json& type = types->as_array()[i];
    const std::string name = type.is_string() ? type.as_string() : type.dump();
    const bool sliding = name == "sliding_attention";
    if (!sliding && name != "full_attention") {
      config.fail("layer_types",
                  fmt::format("has {}, it may hold full_attention and sliding_attention", in_quotes(name)));
      return;
    }
    spec.window[i] = sliding ? window : 0;
  }
}

}  // namespace seraph
