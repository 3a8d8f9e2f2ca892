// `seraph lora`: adapters of a running server, and whether a folder would be taken by one, offline.
#include <spdlog/fmt/fmt.h>

#include <cstdio>

#include "daemon/cli/help.h"
#include "daemon/cli/settings.h"
#include "daemon/commands/bench_load.h"
#include "daemon/commands/commands.h"
#include "engine/engine.h"

namespace seraph {
namespace {

constexpr OptionGroup kGroup = OptionGroup::kTool;

constexpr OptionRow kServerOptions[] = {
    {.name = "url", .group = kGroup, .help = "The server's address.", .serve_default = "http://127.0.0.1:8000"},
    {.name = "api-key", .group = kGroup, .help = "The server's key.", .env_always = "SERAPH_API_KEY", .secret = true},
    {.name = "name", .group = kGroup, .help = "The adapter's name."},
    {.name = "path", .group = kGroup, .help = "load: the adapter's folder, as the server sees it."},
    {.name = "base-model-name", .group = kGroup, .help = "load: shown as the adapter's parent."},
    {.name = "in-place",
     .type = OptionType::kBool,
     .group = kGroup,
     .help = "load: take the place of an adapter of that name."},
};

constexpr OptionRow kCheckOptions[] = {
    {.name = "adapter", .group = kGroup, .help = "The adapter's folder."},
    {.name = "model", .group = kGroup, .help = "The base model's folder."},
    {.name = "max-lora-rank",
     .type = OptionType::kInt,
     .group = kGroup,
     .help = "The server's limit.",
     .serve_default = "512",
     .min = 1,
     .max = 512},
};

constexpr const char* kUsage =
    "usage: seraph lora list | load NAME --path FOLDER | unload NAME | check FOLDER --model FOLDER\n"
    "\n"
    "list, load and unload speak to a running server (--url, --api-key); check looks at a folder and\n"
    "starts nothing. `seraph lora load --help` lists the options.\n";

Result<HttpAnswer> call(const Settings& settings, const char* method, const char* path, Json body = {}) {
  SERAPH_ASSIGN_OR_RETURN(const HttpTarget target, parse_http_url(settings.text("url")));
  return http_call({.target = target,
                    .method = method,
                    .path = path,
                    .body = body.is_null() ? "" : body.dump(),
                    .api_key = settings.text("api-key")});
}

/// The server's own words.
Error refusal(const HttpAnswer& answer) {
  const auto json = Json::parse(answer.body);
  const Json* error = json.ok() ? json->find("error") : nullptr;
  const Json* message = error != nullptr ? error->find("message") : nullptr;
  const std::string words = message != nullptr && message->is_string() ? message->as_string() : answer.body;
  return Error{ErrorCode::kInvalidArgument, fmt::format("the server answers {}: {}", answer.status, words)};
}

Status list_adapters(const Settings& settings) {
  SERAPH_ASSIGN_OR_RETURN(const HttpAnswer answer, call(settings, "GET", "/v1/models"));
  if (answer.status != 200) return refusal(answer);
  SERAPH_ASSIGN_OR_RETURN(const Json models, Json::parse(answer.body));
  const Json* data = models.find("data");
  if (data == nullptr || !data->is_array()) return Error{ErrorCode::kCorrupt, "the server's list is no list"};
  const auto text = [](const Json& card, const char* name) {
    const Json* value = card.find(name);
    return value != nullptr && value->is_string() ? value->as_string() : std::string();
  };
  for (const Json& card : data->as_array()) {
    const std::string parent = text(card, "parent");
    if (!parent.empty()) fmt::print("{}\t{}\t{}\n", text(card, "id"), parent, text(card, "root"));
  }
  return {};
}

Status change_adapter(const Settings& settings, bool load) {
  Json body(Json::Object{});
  body.set("lora_name", settings.text("name"));
  if (load) {
    body.set("lora_path", settings.text("path"));
    body.set("load_inplace", settings.flag("in-place"));
    if (!settings.text("base-model-name").empty()) body.set("base_model_name", settings.text("base-model-name"));
  }
  SERAPH_ASSIGN_OR_RETURN(
      const HttpAnswer answer,
      call(settings, "POST", load ? "/v1/load_lora_adapter" : "/v1/unload_lora_adapter", std::move(body)));
  if (answer.status != 200) return refusal(answer);
  fmt::print("{}\n", answer.body);
  return {};
}

Status check_folder(const Settings& settings) {
  if (settings.text("adapter").empty() || settings.text("model").empty()) {
    return Error{ErrorCode::kInvalidArgument, "it needs the adapter's folder and --model FOLDER"};
  }
  EngineOptions options;
  options.model_dir = settings.text("model");
  options.max_lora_rank = static_cast<int32_t>(settings.number("max-lora-rank"));
  SERAPH_ASSIGN_OR_RETURN(const auto adapter, check_adapter(options, settings.text("adapter")));
  fmt::print("{} fits {}: rank {}, {:.1f} MiB\n", settings.text("adapter"), options.model_dir, adapter->rank,
             static_cast<double>(adapter->bytes) / (1 << 20));
  return {};
}

}  // namespace

int run_lora(const Args& args) {
  const std::string action = args.empty() ? "" : args.front();
  const bool known = action == "list" || action == "load" || action == "unload" || action == "check";
  if (!known) {
    fmt::print(action.empty() || asks_for_help(args) ? stdout : stderr, "{}", kUsage);
    return action.empty() || asks_for_help(args) ? 0 : 2;
  }
  const std::string command = "lora " + action;
  OptionTable table{.command = command, .positional = action == "check" ? "adapter" : "name"};
  if (action == "check") {
    table.add(kCheckOptions);
  } else {
    table.add(kServerOptions);
  }
  if (asks_for_help(args)) {
    fmt::print("{}", table_help(table, false));
    return 0;
  }
  const Args rest(args.begin() + 1, args.end());
  auto settings = resolve_settings(table, Verb::kServe, Sources{rest, process_environment});
  if (!settings.ok()) return report_error(command, settings.error());
  const Status status = action == "check"  ? check_folder(*settings)
                        : action == "list" ? list_adapters(*settings)
                                           : change_adapter(*settings, action == "load");
  return status.ok() ? 0 : report_error(command, status.error());
}

}  // namespace seraph
