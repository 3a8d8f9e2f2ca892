#include "engine/model/lora_banks.h"

#include <spdlog/fmt/fmt.h>

#include "engine/base/check.h"

namespace seraph {

Status LoraBanks::add(const Args& args, std::unique_ptr<LoraBank>& out, int64_t cols,
                      std::initializer_list<int64_t> part_rows) {
  out = args.backend->make_lora_bank({.num_slots = args.num_slots,
                                      .rank_max = args.rank_max,
                                      .cols = cols,
                                      .part_rows = {part_rows.begin(), part_rows.size()},
                                      .compute = args.compute});
  if (out == nullptr) {
    return Error{ErrorCode::kOutOfMemory,
                 fmt::format("{} has no adapters, or no memory for {} slots of rank {}", args.backend->name(),
                             args.num_slots, args.rank_max),
                 "lower --max-loras or --max-lora-rank, or use --device cpu", "max_loras"};
  }
  bytes_ += out->bytes();
  return {};
}

Status LoraBanks::add_mlp(const Args& args, MlpBanks& out, int64_t inner) {
  SERAPH_RETURN_IF_ERROR(add(args, out.gate_up, args.spec->hidden, {inner, inner}));
  return add(args, out.down, inner, {args.spec->hidden});
}

Result<LoraBanks> LoraBanks::make(const Args& args) {
  LoraBanks banks;
  if (args.num_slots == 0) return banks;
  const DecoderSpec& spec = *args.spec;
  const int64_t q_rows = int64_t{spec.num_heads} * spec.head_dim;
  const int64_t kv_rows = int64_t{spec.num_kv_heads} * spec.head_dim;
  banks.layers_.resize(static_cast<size_t>(spec.num_layers));
  for (int32_t i = 0; i < spec.num_layers; ++i) {
    LayerBanks& layer = banks.layers_[static_cast<size_t>(i)];
    SERAPH_RETURN_IF_ERROR(banks.add(args, layer.qkv, spec.hidden, {q_rows, kv_rows, kv_rows}));
    SERAPH_RETURN_IF_ERROR(banks.add(args, layer.attention_output, q_rows, {spec.hidden}));
    if (!spec.has_experts(i)) {
      SERAPH_RETURN_IF_ERROR(banks.add_mlp(args, layer.mlp, spec.intermediate));
      continue;
    }
    layer.experts.resize(static_cast<size_t>(spec.experts.count));
    for (MlpBanks& expert : layer.experts) {
      SERAPH_RETURN_IF_ERROR(banks.add_mlp(args, expert, spec.experts.intermediate));
    }
  }
  return banks;
}

void LoraBanks::write(Backend& backend, int32_t slot, const AdapterWeights& weights) {
  SERAPH_CHECK(weights.layers.size() == layers_.size(), "an adapter was fitted to this model");
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LayerAdapter& adapter = weights.layers[i];
    backend.write_lora(*layers_[i].qkv, slot, adapter.qkv);
    backend.write_lora(*layers_[i].attention_output, slot, adapter.attention_output);
    const auto write_mlp = [&](const MlpBanks& banks, const MlpAdapter& mlp) {
      backend.write_lora(*banks.gate_up, slot, mlp.gate_up);
      backend.write_lora(*banks.down, slot, mlp.down);
    };
    if (layers_[i].experts.empty()) write_mlp(layers_[i].mlp, adapter.mlp);
    for (size_t e = 0; e < layers_[i].experts.size(); ++e) write_mlp(layers_[i].experts[e], adapter.experts[e]);
  }
}

}  // namespace seraph
