// Qwen2ForCausalLM: Qwen2 and Qwen2.5, dense. q, k and v always have biases, o and the MLP never; no key
// of config.json says so. Windows are off in all published instruction-tuned files.
#include "engine/model/families/family.h"

namespace seraph {
namespace {

DecoderSpec read_qwen2(ConfigReader& config) {
  DecoderSpec spec = read_llama_block(config, "qwen2", {.num_kv_heads = 32, .max_positions = 32768});
  spec.qkv_bias = true;
  read_qwen_windows(config, spec);
  return spec;
}

}  // namespace

Family make_qwen2_family() { return {.architecture = "Qwen2ForCausalLM", .model_type = "qwen2", .read = read_qwen2}; }

}  // namespace seraph
