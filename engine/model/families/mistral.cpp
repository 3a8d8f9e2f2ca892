// MistralForCausalLM: Llama's block without biases, with a sliding window in every layer unless
// sliding_window is null (v0.2, v0.3 and Nemo). A file that lacks the key altogether has the window of
// v0.1. Nemo's head_dim is not hidden_size / num_attention_heads.
#include "engine/model/families/family.h"

namespace seraph {
namespace {

constexpr int64_t kWindowDefault = 4096;

DecoderSpec read_mistral(ConfigReader& config) {
  DecoderSpec spec = read_llama_block(config, "mistral", {.num_kv_heads = 8, .max_positions = 131072});
  if (!config.is_null("sliding_window")) {
    const auto window = static_cast<int32_t>(config.integer("sliding_window", kWindowDefault, 1, kWindowMax));
    spec.window.assign(spec.window.size(), window);
  }
  return spec;
}

}  // namespace

Family make_mistral_family() {
  return {.architecture = "MistralForCausalLM", .model_type = "mistral", .read = read_mistral};
}

}  // namespace seraph
