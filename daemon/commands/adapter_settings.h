// The options of adapters as the engine and the API take them.
#pragma once

#include <string>
#include <vector>

#include "daemon/api/api.h"
#include "daemon/cli/settings.h"
#include "engine/base/result.h"
#include "engine/engine.h"

namespace seraph {

/// The words of --lora-modules: NAME=FOLDER or a JSON object. Errors name the word.
Result<std::vector<AdapterModule>> parse_lora_modules(const std::vector<std::string>& words);

/// `loopback`: the server cannot be reached from elsewhere. `guarded`: it has keys.
Status read_adapter_settings(const Settings& settings, bool loopback, bool guarded, EngineOptions& engine,
                             ApiOptions& api);

}  // namespace seraph
