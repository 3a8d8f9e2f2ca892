#include <limits>

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/config_reader.h"

namespace seraph {
namespace {

constexpr int64_t kTokenIdMax = std::numeric_limits<int32_t>::max();

/// An id or a list of ids; negative ones mean "none" in old files.
std::vector<int32_t> read_ids(ConfigReader& config, const char* key) {
  std::vector<int32_t> out;
  const Json* value = config.find(key);
  if (value == nullptr) return out;
  const Json::Array one = {*value};
  const Json::Array& items = value->is_array() ? value->as_array() : one;
  for (const Json& item : items) {
    if (!item.is_int() || item.as_int() > kTokenIdMax) {
      config.fail(key, "must be a token id or a list of token ids");
      return {};
    }
    if (item.as_int() >= 0) out.push_back(static_cast<int32_t>(item.as_int()));
  }
  return out;
}

int32_t read_id(ConfigReader& config, const char* key) {
  const auto ids = read_ids(config, key);
  return ids.empty() ? -1 : ids.front();
}

/// A sampling value counts as given only where it differs from the neutral value of Hugging Face: files
/// are full of values that a library wrote there because they were its defaults.
void read_number(ConfigReader& config, const char* key, double neutral, double min, double max, bool& has, float& out) {
  const double value = config.number(key, neutral, min, max);
  has = value != neutral;
  if (has) out = static_cast<float>(value);
}

void read_ids_of(ConfigReader& config, GenerationDefaults& out) {
  if (auto eos = read_ids(config, "eos_token_id"); !eos.empty()) out.eos_token_ids = std::move(eos);
  if (const int32_t bos = read_id(config, "bos_token_id"); bos >= 0) out.bos_token_id = bos;
  if (const int32_t pad = read_id(config, "pad_token_id"); pad >= 0) out.pad_token_id = pad;
}

}  // namespace

Result<GenerationDefaults> read_generation_defaults(const std::string& model_dir) {
  GenerationDefaults out;
  const std::string config_path = model_dir + "/config.json";
  SERAPH_ASSIGN_OR_RETURN(const Json config_json, read_config_file(config_path));
  ConfigReader config(config_json, config_path);
  read_ids_of(config, out);
  SERAPH_RETURN_IF_ERROR(config.status());

  const std::string path = model_dir + "/generation_config.json";
  auto json = read_config_file(path);
  if (!json.ok()) {
    if (json.error().code == ErrorCode::kNotFound) return out;
    return std::move(json.error());
  }
  ConfigReader generation(*json, path);
  read_ids_of(generation, out);
  read_number(generation, "temperature", 1.0, 0.0, 100.0, out.has_temperature, out.temperature);
  read_number(generation, "top_p", 1.0, 0.0, 1.0, out.has_top_p, out.top_p);
  read_number(generation, "min_p", 0.0, 0.0, 1.0, out.has_min_p, out.min_p);
  read_number(generation, "repetition_penalty", 1.0, 1e-6, 1e6, out.has_repetition_penalty, out.repetition_penalty);
  constexpr int64_t kNeutralTopK = 50;
  const int64_t top_k = generation.integer("top_k", kNeutralTopK, -1, kTokenIdMax);
  out.has_top_k = top_k != kNeutralTopK;
  if (out.has_top_k) out.top_k = static_cast<int32_t>(top_k);
  out.max_new_tokens = static_cast<int32_t>(generation.integer("max_new_tokens", 0, 0, kTokenIdMax));
  SERAPH_RETURN_IF_ERROR(generation.status());
  return out;
}

}  // namespace seraph
