// What `run` and `serve` hand to the parts: the option table's values, the demo checkpoint when there is nothing
// else, key files, the chat template and generation_config.json read and merged. Before any thread starts.
#pragma once

#include <string>
#include <vector>

#include "daemon/api/api.h"
#include "daemon/cli/settings.h"
#include "daemon/http/server.h"
#include "engine/base/result.h"
#include "engine/engine.h"

namespace seraph {

struct ServerSettings {
  EngineOptions engine;
  HttpOptions http;
  ApiOptions api;
  std::string tokenizer_dir;
  std::string db_path;  // "" : no record
  double shutdown_timeout_s = 30;
  bool log_stats = true;
  double log_stats_interval_s = 10;
  bool is_demo = false;
};

/// Nobody on another machine reaches the server.
bool is_loopback(const HttpOptions& http);

/// The options of `run` or `serve`; where nobody named a model and the default is absent, the demo checkpoint is it.
Result<Settings> resolve_server_settings(Verb verb, const Sources& sources);

/// Errors: no model, unreadable files, values that contradict each other; each names its option.
Result<ServerSettings> make_server_settings(Verb verb, const Settings& settings);

/// Folder of the demo checkpoint: beside the sources it was built from, or where a package puts it. "" : none.
std::string find_demo_dir(const std::string& executable_path);

/// One key a line; empty lines and lines that begin with '#' do not count.
Result<std::vector<std::string>> read_key_file(const std::string& path);

/// --chat-template: the file of that name, or the text itself when it looks like a template.
Result<std::string> read_chat_template(const std::string& value);

/// Sampling defaults of a generation_config.json merged with the overrides. `file` and `overrides` are null or objects.
Result<SamplingDefaults> merge_sampling_defaults(const Json& file, const Json& overrides);

}  // namespace seraph
