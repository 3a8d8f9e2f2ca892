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

Result<LoraBanks> LoraBanks::make(const Args& args) {
  LoraBanks banks;
  if (args.num_slots == 0) return banks;
  const DecoderSpec& spec = *args.spec;
  const int64_t inner = spec.intermediate;
  const int64_t q_rows = int64_t{spec.num_heads} * spec.head_dim;
  const int64_t kv_rows = int64_t{spec.num_kv_heads} * spec.head_dim;
  banks.layers_.resize(static_cast<size_t>(spec.num_layers));
  for (LayerBanks& layer : banks.layers_) {
    SERAPH_RETURN_IF_ERROR(banks.add(args, layer.qkv, spec.hidden, {q_rows, kv_rows, kv_rows}));
    SERAPH_RETURN_IF_ERROR(banks.add(args, layer.attention_output, q_rows, {spec.hidden}));
    SERAPH_RETURN_IF_ERROR(banks.add(args, layer.gate_up, spec.hidden, {inner, inner}));
    SERAPH_RETURN_IF_ERROR(banks.add(args, layer.down, inner, {spec.hidden}));
  }
  return banks;
}

void LoraBanks::write(Backend& backend, int32_t slot, const AdapterWeights& weights) {
  SERAPH_CHECK(weights.layers.size() == layers_.size(), "an adapter was fitted to this model");
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LayerAdapter& adapter = weights.layers[i];
    backend.write_lora(*layers_[i].qkv, slot, adapter.qkv);
    backend.write_lora(*layers_[i].attention_output, slot, adapter.attention_output);
    backend.write_lora(*layers_[i].gate_up, slot, adapter.gate_up);
    backend.write_lora(*layers_[i].down, slot, adapter.down);
  }
}

}  // namespace seraph
