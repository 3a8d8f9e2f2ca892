// Qwen3ForCausalLM, dense: Qwen2 without the qkv bias (attention_bias adds it, and one on o), with a head
// size of its own, and with an RMSNorm over each q and k head before the rotation.
#include "engine/model/families/family.h"

namespace seraph {

DecoderSpec read_qwen3_attention(ConfigReader& config, std::string_view family) {
  DecoderSpec spec = read_llama_block(config, family, {.num_kv_heads = 32, .head_dim = 128, .max_positions = 32768});
  spec.qk_norm = true;
  spec.qkv_bias = config.boolean("attention_bias", false);
  spec.output_bias = spec.qkv_bias;
  read_qwen_windows(config, spec);
  return spec;
}

namespace {

DecoderSpec read_qwen3(ConfigReader& config) { return read_qwen3_attention(config, "qwen3"); }

}  // namespace

Family make_qwen3_family() { return {.architecture = "Qwen3ForCausalLM", .model_type = "qwen3", .read = read_qwen3}; }

}  // namespace seraph
