#include "daemon/api/models.h"

#include <algorithm>

namespace seraph {
namespace {

std::string card(std::string_view name, const ApiOptions& options, const EngineInfo& info, int64_t created,
                 const std::function<uint64_t()>& random) {
  const std::string when = std::to_string(created);
  std::string out = "{\"id\":";
  append_json_string(out, name);
  out += ",\"object\":\"model\",\"created\":" + when + ",\"owned_by\":\"vllm\",\"root\":";
  append_json_string(out, options.model_path.empty() ? std::string_view(name) : std::string_view(options.model_path));
  out += ",\"parent\":null,\"max_model_len\":" + std::to_string(info.max_model_len);
  out +=
      ",\"permission\":[{\"id\":\"modelperm-" + hex16(random()) +
      "\",\"object\":\"model_permission\",\"created\":" + when +
      ",\"allow_create_engine\":false,\"allow_sampling\":true,\"allow_logprobs\":true,\"allow_search_indices\":false,"
      "\"allow_view\":true,\"allow_fine_tuning\":false,\"organization\":\"*\",\"group\":null,\"is_blocking\":false}]}";
  return out;
}

}  // namespace

std::string hex16(uint64_t value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out(16, '0');
  for (int i = 15; i >= 0; --i, value >>= 4) out[static_cast<size_t>(i)] = kDigits[value & 15];
  return out;
}

std::string models_json(const ApiOptions& options, const EngineInfo& info, int64_t created,
                        const std::function<uint64_t()>& random) {
  std::string out = "{\"object\":\"list\",\"data\":[";
  for (size_t i = 0; i < options.served_model_names.size(); ++i) {
    if (i > 0) out += ',';
    out += card(options.served_model_names[i], options, info, created, random);
  }
  return out + "]}";
}

std::optional<std::string> model_json(std::string_view name, const ApiOptions& options, const EngineInfo& info,
                                      int64_t created, const std::function<uint64_t()>& random) {
  const auto& names = options.served_model_names;
  if (std::find(names.begin(), names.end(), name) == names.end()) return std::nullopt;
  return card(name, options, info, created, random);
}

}  // namespace seraph
