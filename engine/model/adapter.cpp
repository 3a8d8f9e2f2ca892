#include "engine/model/adapter.h"

#include <spdlog/fmt/fmt.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace seraph {
namespace {

/// Where a module's matrices go.
struct Place {
  std::vector<LoraPart>* linear = nullptr;
  size_t part = 0;
  size_t num_parts = 1;
  int64_t rows = 0;
  int64_t cols = 0;
};

using Places = std::unordered_map<std::string, Place>;

struct MlpNames {
  std::string gate, up, down;
};

void add_mlp(const MlpNames& names, int64_t hidden, int64_t inner, MlpAdapter& mlp, Places& out) {
  out[names.gate] = {&mlp.gate_up, 0, 2, inner, hidden};
  out[names.up] = {&mlp.gate_up, 1, 2, inner, hidden};
  out[names.down] = {&mlp.down, 0, 1, hidden, inner};
}

void add_layer(const DecoderSpec& spec, int32_t index, LayerAdapter& layer, Places& out) {
  const std::string at = fmt::format(fmt::runtime(spec.names.layer), index);
  const TensorNames& names = spec.names;
  const int64_t hidden = spec.hidden;
  const int64_t q_rows = int64_t{spec.num_heads} * spec.head_dim;
  const int64_t kv_rows = int64_t{spec.num_kv_heads} * spec.head_dim;
  out[at + names.q] = {&layer.qkv, 0, 3, q_rows, hidden};
  out[at + names.k] = {&layer.qkv, 1, 3, kv_rows, hidden};
  out[at + names.v] = {&layer.qkv, 2, 3, kv_rows, hidden};
  out[at + names.attention_output] = {&layer.attention_output, 0, 1, hidden, q_rows};
  if (!spec.has_experts(index)) {
    return add_mlp({at + names.gate, at + names.up, at + names.down}, hidden, spec.intermediate, layer.mlp, out);
  }
  layer.experts.resize(static_cast<size_t>(spec.experts.count));
  for (int32_t e = 0; e < spec.experts.count; ++e) {
    const std::string expert = at + fmt::format(fmt::runtime(names.expert), e);
    add_mlp({expert + names.expert_gate, expert + names.expert_up, expert + names.expert_down}, hidden,
            spec.experts.intermediate, layer.experts[static_cast<size_t>(e)], out);
  }
}

std::string_view without_suffix(std::string_view name, std::string_view suffix) {
  return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name;
}

Error no_such_module(const PeftModule& module, const DecoderSpec& spec) {
  const bool table = module.name == without_suffix(spec.names.embed, ".weight") ||
                     module.name == without_suffix(spec.names.head, ".weight");
  if (table) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("the adapter changes {}: adapters of the embedding and the output head are not supported",
                             module.name),
                 "train it on the layers' linear modules only"};
  }
  return Error{ErrorCode::kCorrupt,
               fmt::format("the adapter changes {}, which the model ({}, {} layers) does not have or adapters cannot "
                           "change",
                           module.name, spec.family, spec.num_layers),
               "check that it was trained for this base model"};
}

}  // namespace

int64_t adapter_file_bytes_max(const DecoderSpec& spec, int64_t rank_max) {
  constexpr int64_t kHeaderBytes = 64 << 20;
  const int64_t q_rows = int64_t{spec.num_heads} * spec.head_dim;
  const int64_t kv_rows = int64_t{spec.num_kv_heads} * spec.head_dim;
  int64_t widths = spec.num_layers * (3 * int64_t{spec.hidden} + 2 * q_rows + 2 * kv_rows);
  for (int32_t i = 0; i < spec.num_layers; ++i) {
    const int64_t num_mlps = spec.has_experts(i) ? spec.experts.count : 1;
    widths += 3 * (num_mlps * spec.hidden + spec.mlp_width(i));
  }
  return kHeaderBytes + rank_max * widths * dtype_bytes(DType::kF32) * 2;
}

Result<std::shared_ptr<const AdapterWeights>> fit_adapter(std::unique_ptr<const PeftFolder> folder,
                                                          const DecoderSpec& spec) {
  auto out = std::make_shared<AdapterWeights>();
  out->layers.resize(static_cast<size_t>(spec.num_layers));
  Places places;
  for (int32_t i = 0; i < spec.num_layers; ++i) {
    add_layer(spec, i, out->layers[static_cast<size_t>(i)], places);
  }
  for (const PeftModule& module : folder->modules()) {
    const auto found = places.find(module.name);
    if (found == places.end()) return no_such_module(module, spec);
    const Place& place = found->second;
    if (module.a.cols != place.cols || module.b.rows != place.rows) {
      return Error{ErrorCode::kCorrupt,
                   fmt::format("the adapter's {} maps {} inputs to {} outputs, the model's {} to {}", module.name,
                               module.a.cols, module.b.rows, place.cols, place.rows),
                   "check that it was trained for this base model"};
    }
    place.linear->resize(place.num_parts);
    (*place.linear)[place.part] = LoraPart{.a = module.a, .b = module.b, .scale = module.scale};
  }
  out->folder = std::move(folder);
  return std::shared_ptr<const AdapterWeights>(std::move(out));
}

}  // namespace seraph
