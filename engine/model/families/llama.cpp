// LlamaForCausalLM: Llama 2, 3, 3.1, 3.2 and 3.3 in text, and the many models that reuse the class (Yi,
// Vicuna, SmolLM2, DeepSeek-R1-Distill-Llama). attention_bias adds biases to q, k, v and o, mlp_bias to
// gate, up and down. A sliding_window in such a file means nothing.
// pretraining_tp changes only the order of a sum and is ignored.
#include "engine/model/families/family.h"

namespace seraph {
namespace {

DecoderSpec read_llama(ConfigReader& config) {
  DecoderSpec spec = read_llama_block(config, "llama", {.max_positions = 2048});
  spec.qkv_bias = config.boolean("attention_bias", false);
  spec.output_bias = spec.qkv_bias;
  spec.mlp_bias = config.boolean("mlp_bias", false);
  return spec;
}

}  // namespace

Family make_llama_family() { return {.architecture = "LlamaForCausalLM", .model_type = "llama", .read = read_llama}; }

}  // namespace seraph
