// Qwen3MoeForCausalLM: Qwen3 with a mixture of experts in place of the MLP of most layers. decoder_sparse_step and
// mlp_only_layers say which.
#include <spdlog/fmt/fmt.h>

#include "engine/model/families/family.h"

namespace seraph {
namespace {

constexpr int64_t kExpertsMax = 4096;
constexpr int64_t kInnerMax = 1 << 20;

/// The layers of mlp_only_layers are dense, and of the others each that is no multiple of decoder_sparse_step.
std::vector<bool> read_sparse_layers(ConfigReader& config, int32_t num_layers) {
  const int64_t step = config.integer("decoder_sparse_step", 1, 1, int64_t{1} << 30);
  std::vector<bool> sparse(static_cast<size_t>(num_layers));
  for (int64_t i = 0; i < num_layers; ++i) sparse[static_cast<size_t>(i)] = (i + 1) % step == 0;
  const Json* dense = config.find("mlp_only_layers");
  if (dense == nullptr) return sparse;
  if (!dense->is_array()) {
    config.fail("mlp_only_layers", "must be a list of layers");
    return sparse;
  }
  for (const Json& layer : dense->as_array()) {
    if (!layer.is_int()) {
      config.fail("mlp_only_layers", "must be a list of layers");
      return sparse;
    }
    if (layer.as_int() >= 0 && layer.as_int() < num_layers) sparse[static_cast<size_t>(layer.as_int())] = false;
  }
  return sparse;
}

DecoderSpec read_qwen3_moe(ConfigReader& config) {
  DecoderSpec spec = read_qwen3_attention(config, "qwen3_moe");
  const char* count = config.has("num_experts") ? "num_experts" : "num_local_experts";
  spec.experts.count = static_cast<int32_t>(config.integer(count, 128, 1, kExpertsMax));
  spec.experts.top_k = static_cast<int32_t>(config.integer("num_experts_per_tok", 8, 1, spec.experts.count));
  spec.experts.intermediate = static_cast<int32_t>(config.integer("moe_intermediate_size", 768, 1, kInnerMax));
  spec.experts.normalise = config.boolean("norm_topk_prob", false);
  spec.experts.layers = read_sparse_layers(config, spec.num_layers);
  return spec;
}

}  // namespace

Family make_qwen3_moe_family() {
  return {.architecture = "Qwen3MoeForCausalLM", .model_type = "qwen3_moe", .read = read_qwen3_moe};
}

}  // namespace seraph
