// `run` and `serve`: one function, two sets of defaults.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>

#include "daemon/cli/help.h"
#include "daemon/commands/commands.h"
#include "daemon/commands/logging.h"
#include "daemon/commands/server_process.h"
#include "daemon/commands/server_settings.h"
#include "daemon/commands/web_page.h"

namespace seraph {
namespace {

std::string mib(int64_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

/// "" when it has none.
std::string machine_name() {
  char name[256] = "";
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void log_start(const Settings& settings, const ServerSettings& server) {
  for (const std::string& note : settings.notes()) spdlog::info("{}", note);
  if (server.is_demo) {
    spdlog::info("no model was given: serving {}, {}", server.engine.model_dir, settings.at("model").where);
  }
  for (const char* name : {"host", "port"}) {
    const Origin from = settings.at(name).origin;
    if (server.http.uds.empty() || (from != Origin::kCommandLine && from != Origin::kConfigFile)) continue;
    spdlog::warn("--{} has no effect: --uds is listened on, and no TCP port", name);
  }
  if (!is_loopback(server.http) && server.http.api_keys.empty()) {
    spdlog::warn("everybody who reaches {} may use this server: set --api-key", server.http.host);
  }
}

/// The lines that tell a newcomer everything; one log line when a machine reads the log.
void greet(const ServerProcess& process, const ServerSettings& server, bool json) {
  const EngineInfo& info = process.engine_info();
  const std::string names = joined(server.api.served_model_names);
  int64_t total = 0;
  std::string parts;
  for (const MemoryPart& part : info.memory) {
    total += part.bytes;
    parts += (parts.empty() ? "" : ", ") + part.name + (part.on_host ? " (pinned) " : " ") + mib(part.bytes);
  }
  spdlog::info("ready: {} serves {} ({}, {:.1f} M parameters, {}) on {}; {} in {:.2f} s", process.address(), names,
               info.model_type, static_cast<double>(info.num_parameters) * 1e-6, info.dtype, info.device, mib(total),
               info.load_seconds);
  spdlog::info("memory: {}; {} KV blocks of {} tokens", parts, info.num_kv_blocks, info.block_tokens);
  if (json) return;
  const bool on_tcp = process.address().starts_with("http");
  const bool has_page = on_tcp && !info.pooling.pools();
  fmt::print("\n  seraph {} is ready\n", SERAPH_VERSION);
  fmt::print("  address   {}{}{}\n", browser_address(process.address(), machine_name()),
             has_page ? "  (chat page)" : "", on_tcp ? ", API under /v1" : "");
  fmt::print("  model     {}{}: {}\n", names, server.is_demo ? " (the demo checkpoint)" : "", server.engine.model_dir);
  fmt::print("  device    {}, {}\n", info.device, info.dtype);
  fmt::print("  memory    {}: weights {}, KV cache {} ({} blocks of {} tokens), the rest {}\n", mib(total),
             mib(info.weight_bytes), mib(info.kv_bytes), info.num_kv_blocks, info.block_tokens,
             mib(total - info.weight_bytes - info.kv_bytes));
  fmt::print("  limits    {} tokens per request, {} sequences per step\n", info.max_model_len, info.max_num_seqs);
  fmt::print("  stop      Ctrl-C or SIGTERM; running requests get {:g} s\n\n", server.shutdown_timeout_s);
  std::fflush(stdout);
}

Result<int> serve_until_stopped(const Settings& settings, ServerSettings server, bool json) {
  log_start(settings, server);
  ServerProcess process(server);
  SERAPH_RETURN_IF_ERROR(process.start());
  greet(process, server, json);
  const int exit_status = process.run();
  spdlog::info("stopped");
  return exit_status;
}

}  // namespace

int run_server(Verb verb, const Args& args) {
  const OptionTable table = server_options(verb);
  if (const auto topic = help_topic(args)) {
    fmt::print("{}", topic_help(table, *topic));
    return 0;
  }
  auto settings = resolve_server_settings(verb, Sources{args, process_environment});
  if (!settings.ok()) return report_error(table.command, settings.error());
  auto server = make_server_settings(verb, *settings);
  if (!server.ok()) return report_error(table.command, server.error());

  const bool json = settings->text("log-format") == "json";
  start_logging(settings->text("log-level"), json);
  const Result<int> exit_status = serve_until_stopped(*settings, std::move(*server), json);
  stop_logging();  // writes the queued lines, so that an error is the last one
  return exit_status.ok() ? *exit_status : report_error(table.command, exit_status.error());
}

}  // namespace seraph
