#include "daemon/commands/adapter_settings.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <set>

namespace seraph {
namespace {

Error module_error(const std::string& word, std::string_view what) {
  return Error{ErrorCode::kInvalidArgument, fmt::format("--lora-modules: '{}' {}", word, what),
               "--lora-modules NAME=FOLDER, or '{\"name\": \"NAME\", \"path\": \"FOLDER\"}'", "--lora-modules"};
}

Result<AdapterModule> parse_object(const std::string& word) {
  const auto json = Json::parse(word);
  if (!json.ok() || !json->is_object()) return module_error(word, "is no JSON object");
  AdapterModule module;
  for (const auto& [name, value] : json->as_object()) {
    std::string* target = name == "name"              ? &module.name
                          : name == "path"            ? &module.path
                          : name == "base_model_name" ? &module.base_model_name
                                                      : nullptr;
    if (target != nullptr && value.is_string()) *target = value.as_string();
    if (target != nullptr && !value.is_string() && !value.is_null()) return module_error(word, name + " is no string");
    if (target == nullptr && name != "is_3d_lora_weight") return module_error(word, "has an unknown member " + name);
  }
  return module;
}

}  // namespace

Result<std::vector<AdapterModule>> parse_lora_modules(const std::vector<std::string>& words) {
  std::vector<AdapterModule> modules;
  std::set<std::string> names;
  for (const std::string& word : words) {
    AdapterModule module;
    if (word.starts_with("{")) {
      SERAPH_ASSIGN_OR_RETURN(module, parse_object(word));
    } else {
      const size_t equals = word.find('=');
      module.name = word.substr(0, equals);
      if (equals != std::string::npos) module.path = word.substr(equals + 1);
    }
    if (module.name.empty() || module.path.empty()) return module_error(word, "does not give a name and a folder");
    if (!names.insert(module.name).second) return module_error(word, "gives a name a second time");
    modules.push_back(std::move(module));
  }
  return modules;
}

Status read_adapter_settings(const Settings& settings, bool loopback, bool guarded, EngineOptions& engine,
                             ApiOptions& api) {
  SERAPH_ASSIGN_OR_RETURN(api.lora_modules, parse_lora_modules(settings.list("lora-modules")));
  api.enable_lora = settings.flag("enable-lora") || !api.lora_modules.empty();
  if (!api.enable_lora) return {};
  engine.max_loras = static_cast<int32_t>(settings.number("max-loras"));
  engine.max_lora_rank = static_cast<int32_t>(settings.number("max-lora-rank"));
  const auto resident = static_cast<int32_t>(settings.number("max-cpu-loras"));
  if (resident > 0 && resident < engine.max_loras) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("--max-cpu-loras {} is less than --max-loras {}", resident, engine.max_loras),
                 "raise it, or leave it out", "--max-cpu-loras"};
  }
  api.adapters_resident_max = std::max(resident, engine.max_loras);
  const Setting& updates = settings.at("allow-runtime-lora-updating");
  api.runtime_adapters = updates.set ? updates.flag : loopback || guarded;
  return {};
}

}  // namespace seraph
