#include <limits>

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/config_reader.h"

namespace seraph {
namespace {

constexpr int64_t kTokenIdMax = std::numeric_limits<int32_t>::max();

/// Of eos_token_id: an id or a list of ids; negative ones mean "none" in old files.
Result<std::vector<int32_t>> read_ids(const Json& file, const std::string& path) {
  ConfigReader config(file, path);
  std::vector<int32_t> out;
  const Json* value = config.find("eos_token_id");
  if (value == nullptr) return out;
  const Json::Array one = {*value};
  const Json::Array& items = value->is_array() ? value->as_array() : one;
  for (const Json& item : items) {
    if (!item.is_int() || item.as_int() > kTokenIdMax) {
      config.fail("eos_token_id", "must be a token id or a list of token ids");
      return config.status().error();
    }
    if (item.as_int() >= 0) out.push_back(static_cast<int32_t>(item.as_int()));
  }
  return out;
}

}  // namespace

Result<std::vector<int32_t>> read_end_ids(const std::string& model_dir, const std::string& generation_config_dir) {
  for (const std::string& path : {generation_config_dir + "/generation_config.json", model_dir + "/config.json"}) {
    const auto file = read_config_file(path);
    if (!file.ok() && file.error().code == ErrorCode::kNotFound) continue;
    if (!file.ok()) return file.error();
    SERAPH_ASSIGN_OR_RETURN(std::vector<int32_t> ids, read_ids(*file, path));
    if (!ids.empty()) return ids;
  }
  return std::vector<int32_t>();
}

}  // namespace seraph
