// GET /v1/models and /v1/models/{id}. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/api.h"
#include "engine/engine.h"

namespace seraph {

/// The list of served names and of adapters. `random` gives the ids of the permission objects that clients of old
/// expect.
std::string models_json(const ApiOptions& options, const std::vector<AdapterModule>& adapters, const EngineInfo& info,
                        int64_t created, const std::function<uint64_t()>& random);
/// One card; nothing when the name is not served.
std::optional<std::string> model_json(std::string_view name, const ApiOptions& options,
                                      const std::vector<AdapterModule>& adapters, const EngineInfo& info,
                                      int64_t created, const std::function<uint64_t()>& random);

/// The card of that name, or the list when it is empty.
std::optional<std::string> models_answer(std::string_view name, const ApiOptions& options,
                                         const std::vector<AdapterModule>& adapters, const EngineInfo& info,
                                         int64_t created, const std::function<uint64_t()>& random);

/// 16 hexadecimal digits.
std::string hex16(uint64_t value);

}  // namespace seraph
