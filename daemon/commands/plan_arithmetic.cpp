#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "daemon/commands/plan.h"
#include "engine/base/text_link.h"

namespace seraph {
namespace {

namespace fs = std::filesystem;

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;
constexpr uint64_t kHeaderBytesMax = 100 << 20;

Error shape_error(std::string message) {
  return Error{ErrorCode::kInvalidArgument, std::move(message), "give a model folder, or the numbers as options"};
}

struct FileSizes {
  double elements = 0;
  double bytes = 0;
  double linear_elements = 0;  // of the matrices inside the layers
};

/// Embeddings, norms and the head stay as they are when the layers' matrices are quantised.
bool is_quantisable(const std::string& name, size_t num_dimensions) {
  return num_dimensions >= 2 && name.find("layers.") != std::string::npos;
}

/// Adds up all tensors of a safetensors file.
Status add_file_sizes(const std::string& path, FileSizes& sizes) {
  const auto corrupt = [&](const char* what) {
    return Error{ErrorCode::kCorrupt, fmt::format("{}: {}", path, what), "copy the file again"};
  };
  std::ifstream file(follow_text_link(path), std::ios::binary);
  unsigned char size_bytes[8] = {};
  if (!file.read(reinterpret_cast<char*>(size_bytes), 8)) return corrupt("the file is shorter than its header");
  uint64_t size = 0;
  for (int i = 7; i >= 0; --i) size = size << 8 | size_bytes[i];
  if (size > kHeaderBytesMax) return corrupt("the header is larger than 100 MiB");
  std::string text(size, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(size))) return corrupt("the header is cut off");
  SERAPH_ASSIGN_OR_RETURN(const Json header, Json::parse(text));
  if (!header.is_object()) return corrupt("the header is no JSON object");
  for (const auto& [name, tensor] : header.as_object()) {
    const Json* shape = tensor.find("shape");
    const Json* offsets = tensor.find("data_offsets");
    if (name == "__metadata__" || shape == nullptr || !shape->is_array()) continue;
    double count = 1;
    for (const Json& extent : shape->as_array()) count *= extent.is_number() ? extent.as_double() : 0;
    sizes.elements += count;
    if (is_quantisable(name, shape->as_array().size())) sizes.linear_elements += count;
    if (offsets == nullptr || !offsets->is_array() || offsets->as_array().size() != 2) continue;
    const auto& range = offsets->as_array();
    if (range[0].is_number() && range[1].is_number()) sizes.bytes += range[1].as_double() - range[0].as_double();
  }
  return {};
}

/// model.safetensors, or the files that the index names; other .safetensors files in the folder are no weights.
Result<std::vector<std::string>> weight_files(const std::string& model_dir) {
  std::error_code error;
  if (fs::exists(model_dir + "/model.safetensors", error)) return std::vector{model_dir + "/model.safetensors"};
  const std::string index_path = model_dir + "/model.safetensors.index.json";
  std::vector<std::string> files;
  if (!fs::exists(index_path, error)) return files;
  SERAPH_ASSIGN_OR_RETURN(const Json index, Json::parse_file(index_path));
  const Json* map = index.find("weight_map");
  if (map == nullptr || !map->is_object()) {
    return Error{ErrorCode::kCorrupt, index_path + ": weight_map is missing", "copy the file again"};
  }
  for (const auto& [name, file] : map->as_object()) {
    if (file.is_string()) files.push_back(model_dir + "/" + file.as_string());
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

}  // namespace

Result<MemoryPlan> plan_memory(const PlanShape& shape) {
  if (!(shape.parameters_b > 0)) return shape_error("the number of parameters is not known (--parameters-b)");
  if (shape.hidden_size <= 0 || shape.num_layers <= 0 || shape.num_heads <= 0 || shape.num_kv_heads <= 0) {
    return shape_error("hidden size, layers, heads and KV heads must be known and positive");
  }
  if (shape.context_tokens <= 0) return shape_error("the context is not known (--max-model-len)");
  if (!(shape.memory_utilization > 0 && shape.memory_utilization <= 1)) {
    return shape_error("--gpu-memory-utilization must be above 0 and at most 1");
  }
  MemoryPlan plan;
  plan.weights_gib = shape.parameters_b * shape.bytes_per_weight;  // a billion bytes count as a GiB
  plan.kv_bytes_per_token = static_cast<double>(shape.hidden_size) * static_cast<double>(shape.num_layers) *
                            static_cast<double>(shape.num_kv_heads) / static_cast<double>(shape.num_heads) *
                            shape.kv_bytes * 2;
  plan.kv_gib = plan.kv_bytes_per_token * static_cast<double>(shape.context_tokens) / kGib;
  plan.needed_gib = (plan.weights_gib + plan.kv_gib) / shape.memory_utilization;
  return plan;
}

int64_t plan_cards(const PlanShape& shape, const MemoryPlan& plan, double card_gib) {
  if (!(card_gib > 0)) return 0;
  for (auto cards = static_cast<int64_t>(std::max(1.0, std::ceil(plan.needed_gib / card_gib)));
       cards <= shape.num_heads; ++cards) {
    if (shape.num_heads % cards == 0) return cards;
  }
  return 0;
}

Result<PlanShape> read_plan_shape(const std::string& model_dir) {
  SERAPH_ASSIGN_OR_RETURN(const Json whole, Json::parse_file(model_dir + "/config.json"));
  const Json* text = whole.find("text_config");  // of a model that also sees
  const Json& config = text != nullptr && text->is_object() ? *text : whole;
  const auto number = [&](const char* name, int64_t fallback) {
    const Json* value = config.find(name);
    return value != nullptr && value->is_int() ? value->as_int() : fallback;
  };
  PlanShape shape;
  shape.hidden_size = number("hidden_size", 0);
  shape.num_layers = number("num_hidden_layers", 0);
  shape.num_heads = number("num_attention_heads", 0);
  shape.num_kv_heads = number("num_key_value_heads", shape.num_heads);
  shape.head_dim = number("head_dim", 0);
  shape.context_tokens = number("max_position_embeddings", 0);
  shape.intermediate_size = number("intermediate_size", 0);
  shape.vocab_size = number("vocab_size", 0);
  FileSizes sizes;
  SERAPH_ASSIGN_OR_RETURN(const auto files, weight_files(model_dir));
  for (const std::string& path : files) SERAPH_RETURN_IF_ERROR(add_file_sizes(path, sizes));
  if (sizes.elements > 0) shape.bytes_per_weight = sizes.bytes / sizes.elements;
  shape.parameters_b = sizes.elements * 1e-9;
  shape.linear_parameters_b = sizes.linear_elements * 1e-9;
  shape.weights_gib = sizes.bytes / kGib;
  return shape;
}

}  // namespace seraph
