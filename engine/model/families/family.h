// The families of models, one file each: facts about config.json and tensor names, no arithmetic.
// To add one: a file beside this header with a `make_..._family()`, and its row in families.cpp.
#pragma once

#include <span>
#include <string_view>

#include "engine/checkpoint/config_reader.h"
#include "engine/model/spec.h"

namespace seraph {

struct Family {
  std::string_view architecture;  // config.json's architectures[0]
  std::string_view model_type;    // config.json's model_type, for files without architectures
  /// Fills a spec; errors stay in the reader.
  DecoderSpec (*read)(ConfigReader& config);
};

Family make_llama_family();
Family make_mistral_family();
Family make_qwen2_family();
Family make_qwen3_family();
Family make_qwen3_moe_family();

/// Every family, in the order in which messages list them.
std::span<const Family> all_families();

/// What a family assumes for keys that its files may leave out.
struct BlockDefaults {
  int32_t num_kv_heads = 0;  // 0: as many as heads
  int32_t head_dim = 0;      // 0: hidden_size / num_attention_heads
  int32_t max_positions = 0;
};

/// The keys that all families with Llama's block share: sizes, norm, activation, rope, tied head. No
/// window, no biases.
DecoderSpec read_llama_block(ConfigReader& config, std::string_view family, const BlockDefaults& defaults);

/// What Qwen3 and its mixtures share: all but the MLPs.
DecoderSpec read_qwen3_attention(ConfigReader& config, std::string_view family);

/// The windows of Qwen2 and Qwen3: off unless use_sliding_window; then layer_types decides, or else the
/// layers from max_window_layers on have it.
void read_qwen_windows(ConfigReader& config, DecoderSpec& spec);

inline constexpr int64_t kWindowMax = int64_t{1} << 30;

}  // namespace seraph
