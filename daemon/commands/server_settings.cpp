#include "daemon/commands/server_settings.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>

#include "daemon/commands/adapter_settings.h"
#include "daemon/commands/builtin_templates.h"

namespace seraph {
namespace {

namespace fs = std::filesystem;

constexpr uintmax_t kTextBytesMax = 16 << 20;  // of a key file or a template

Error option_error(const char* option, std::string message, std::string remedy = {}) {
  return Error{ErrorCode::kInvalidArgument, fmt::format("argument {}: {}", option, message), std::move(remedy), option};
}

std::optional<std::string> read_text(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error) || fs::file_size(path, error) > kTextBytesMax) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string executable_path() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).string();
}

/// The model folder, which must be there.
Result<std::string> model_folder(const Settings& settings) {
  const std::string& model = settings.text("model");
  std::error_code error;
  if (model.empty()) {
    return Error{ErrorCode::kInvalidArgument, "no model was given", "seraph serve DIR, or --model DIR", "--model"};
  }
  if (fs::is_directory(model, error)) return model;
  if (settings.at("model").origin == Origin::kDefault) {
    return option_error("--model", fmt::format("{} does not exist and no demo checkpoint was found", model),
                        "give the folder of a checkpoint with --model");
  }
  return option_error("--model", fmt::format("{} is not a folder", model),
                      "give the folder of a checkpoint that lies on this machine; nothing is downloaded");
}

/// --runner and --convert, or what --task says of both.
Status choose_runner(const Settings& settings, EngineOptions& options) {
  options.runner = settings.text("runner");
  options.convert = settings.text("convert");
  const std::string& task = settings.text("task");
  if (task != "auto") {
    const std::string runner = task == "generate" ? "generate" : "pooling";
    if (options.runner != "auto" && options.runner != runner) {
      return option_error("--task", fmt::format("{} contradicts --runner {}", task, options.runner),
                          "leave --task out, it is the older of the two");
    }
    options.runner = runner;
    if (task == "embed" || task == "embedding") options.convert = "embed";
    if (task == "classify" || task == "score" || task == "reward") options.convert = "classify";
  }
  if (options.runner == "generate" && options.convert != "auto" && options.convert != "none") {
    return option_error("--convert", fmt::format("{} contradicts --runner generate", options.convert),
                        "leave one of them out");
  }
  // A model that is asked to embed or classify pools.
  if (options.convert == "embed" || options.convert == "classify") options.runner = "pooling";
  for (const auto& [name, json] :
       {std::pair("pooler-config", &options.pooler), std::pair("hf-overrides", &options.config_overrides)}) {
    *json = settings.json(name);
    if (json->is_null() || json->is_object()) continue;
    return option_error(name == std::string_view("pooler-config") ? "--pooler-config" : "--hf-overrides",
                        "it must be a JSON object");
  }
  return {};
}

/// Where the generation_config.json is whose end ids count; with `vllm` only its sampling defaults don't.
std::string generation_config_dir(const Settings& settings, const std::string& model_dir) {
  const std::string& source = settings.text("generation-config");
  return source == "auto" || source == "vllm" ? model_dir : source;
}

EngineOptions engine_options(const Settings& settings, const std::string& model_dir) {
  EngineOptions options;
  options.model_dir = model_dir;
  options.generation_config_dir = generation_config_dir(settings, model_dir);
  options.device = settings.text("device");
  options.cuda = cuda_access();
  const std::string& dtype = settings.text("dtype");
  options.dtype = dtype == "half" ? "float16" : dtype == "float" ? "float32" : dtype;
  options.kv_cache_dtype = settings.text("kv-cache-dtype");
  options.load_format = settings.text("load-format") == "dummy" ? LoadFormat::kDummy : LoadFormat::kAuto;
  options.read_ahead = !settings.flag("disable-mem-cache");
  options.seed = static_cast<uint64_t>(settings.number("seed"));
  options.max_model_len = static_cast<int32_t>(std::max<int64_t>(0, settings.number("max-model-len")));
  options.max_model_len_cap = static_cast<int32_t>(settings.number("max-model-len-cap"));
  options.max_num_seqs = static_cast<int32_t>(settings.number("max-num-seqs"));
  options.max_num_batched_tokens = static_cast<int32_t>(settings.number("max-num-batched-tokens"));
  options.block_tokens = static_cast<int32_t>(settings.number("block-size"));
  options.enable_prefix_caching = settings.flag("enable-prefix-caching");
  options.kv_cache_bytes = settings.number("kv-cache-memory");
  options.num_kv_blocks_override = static_cast<int32_t>(settings.number("num-gpu-blocks-override"));
  options.gpu_memory_utilization = settings.real("gpu-memory-utilization");
  const double swap_gib = settings.real("swap-space");
  options.swap_bytes = swap_gib < 0 ? -1 : static_cast<int64_t>(swap_gib * 0x1p30);
  options.preemption = settings.text("preemption-mode");
  options.enforce_eager = settings.flag("enforce-eager");
  options.threads = static_cast<int32_t>(settings.number("threads"));
  options.pin_threads = settings.flag("pin-threads");
  options.submit_ring_slots = static_cast<int32_t>(settings.number("submit-ring-slots"));
  options.queued_requests_max = static_cast<int32_t>(settings.number("max-num-queued-reqs"));
  return options;
}

int64_t milliseconds(double seconds) { return std::llround(seconds * 1000); }

Result<std::vector<std::string>> collect_keys(const Settings& settings) {
  std::vector<std::string> keys;
  std::vector<std::string> given = settings.list("api-key");
  given.insert(given.end(), settings.list("api-keys").begin(), settings.list("api-keys").end());
  for (const std::string& key : given) {
    if (key.starts_with("@")) {
      SERAPH_ASSIGN_OR_RETURN(const auto more, read_key_file(key.substr(1)));
      keys.insert(keys.end(), more.begin(), more.end());
    } else {
      keys.push_back(key);
    }
  }
  if (const std::string& path = settings.text("api-key-file"); !path.empty()) {
    SERAPH_ASSIGN_OR_RETURN(const auto more, read_key_file(path));
    keys.insert(keys.end(), more.begin(), more.end());
  }
  // `--api-key "$UNSET"` was meant to guard the server.
  for (const char* name : {"--api-key", "--api-keys"}) {
    const Origin from = settings.at(name + 2).origin;
    if (keys.empty() && (from == Origin::kCommandLine || from == Origin::kConfigFile)) {
      return option_error(name, "the key is empty", "give one, or leave the flag out to let everybody in");
    }
  }
  return keys;
}

/// The line of an answer, as uvicorn writes it: 127.0.0.1:4711 - "GET /health" 200.
std::function<void(const AccessRecord&)> access_log(const Settings& settings) {
  if (settings.flag("disable-uvicorn-access-log")) return nullptr;
  return [silent = "," + settings.text("disable-access-log-for-endpoints") + ",",
          peers = settings.text("log-redaction") != "peers"](const AccessRecord& answer) {
    if (silent.find(fmt::format(",{},", answer.path)) != std::string::npos) return;
    spdlog::info("{} - \"{} {}\" {}", peers ? answer.peer : "-", answer.method, answer.path, answer.status);
  };
}

Result<HttpOptions> http_options(const Settings& settings) {
  HttpOptions options;
  options.host = settings.text("host").empty() ? "127.0.0.1" : settings.text("host");
  options.port = static_cast<int>(settings.number("port"));
  options.uds = settings.text("uds");
  SERAPH_ASSIGN_OR_RETURN(options.api_keys, collect_keys(settings));
  options.allowed_origins = settings.list("allowed-origins");
  options.allowed_methods = settings.list("allowed-methods");
  options.allowed_headers = settings.list("allowed-headers");
  options.allow_credentials = settings.flag("allow-credentials");
  options.request_id_headers = settings.flag("enable-request-id-headers");
  options.root_path = settings.text("root-path");
  options.ssl_certfile = settings.text("ssl-certfile");
  options.ssl_keyfile = settings.text("ssl-keyfile");
  options.ssl_ca_certs = settings.text("ssl-ca-certs");
  options.ssl_cert_reqs = static_cast<int>(settings.number("ssl-cert-reqs"));
  options.ssl_ciphers = settings.text("ssl-ciphers");
  options.access_log = access_log(settings);
  options.connections_max = static_cast<int>(settings.number("max-connections"));
  options.header_bytes_max = settings.number("max-header-bytes");
  options.header_count_max = static_cast<int>(settings.number("max-header-count"));
  options.body_bytes_max = settings.number("max-body-bytes");
  options.bodies_bytes_max = settings.number("max-bodies-bytes");
  options.header_timeout_ms = milliseconds(settings.real("header-timeout"));
  options.body_timeout_ms = milliseconds(settings.real("body-timeout"));
  options.idle_timeout_ms = milliseconds(settings.real("idle-timeout"));
  options.unsent_soft_bytes = settings.number("unsent-soft-bytes");
  options.unsent_hard_bytes = settings.number("unsent-hard-bytes");
  options.stalled_timeout_ms = milliseconds(settings.real("stalled-timeout"));
  if (options.unsent_soft_bytes > options.unsent_hard_bytes) {
    return option_error("--unsent-soft-bytes", "the soft limit is above --unsent-hard-bytes", "lower it");
  }
  return options;
}

/// --rope-scaling and --rope-theta, in the dialect that config.json speaks.
void add_rope_overrides(const Settings& settings, const std::string& model_dir, Json& overrides) {
  const Setting& scaling = settings.at("rope-scaling");
  const Setting& theta = settings.at("rope-theta");
  if (!scaling.set && !theta.set) return;
  if (!overrides.is_object()) overrides = Json(Json::Object{});
  const auto config = Json::parse_file(model_dir + "/config.json");  // what is wrong with it, the engine tells
  const bool newer = config.ok() && config->find("rope_parameters") != nullptr;
  Json rope = scaling.set ? scaling.json : Json(Json::Object{});
  if (theta.set && newer) rope.set("rope_theta", theta.real);
  if (theta.set && !newer) overrides.set("rope_theta", theta.real);
  if (scaling.set || newer) overrides.set(newer ? "rope_parameters" : "rope_scaling", std::move(rope));
}

/// Null when there is no file and none was asked for by name.
Result<Json> read_generation_config(const Settings& settings, const std::string& model_dir) {
  const std::string& source = settings.text("generation-config");
  if (source == "vllm") return Json();
  const std::string path = generation_config_dir(settings, model_dir) + "/generation_config.json";
  std::error_code error;
  if (!fs::exists(path, error)) {
    if (source == "auto") return Json();
    return option_error("--generation-config", fmt::format("{} does not exist", path),
                        "auto, vllm, or a folder with it");
  }
  return Json::parse_file(path);
}

std::vector<std::string> served_names(const Settings& settings, const std::string& model_dir) {
  std::vector<std::string> names = settings.list("served-model-name");
  if (names.empty()) names.push_back(settings.text("model").empty() ? model_dir : settings.text("model"));
  return names;
}

/// Ids of --stop-token-ids; the vocabulary's size is not known yet, an id beyond it is never drawn.
Result<std::vector<TokenId>> stop_token_ids(const Settings& settings) {
  std::vector<TokenId> ids;
  for (const std::string& word : settings.list("stop-token-ids")) {
    const auto id = parse_human_int(word, false);
    if (!id.ok() || *id < 0 || *id > std::numeric_limits<TokenId>::max()) {
      return option_error("--stop-token-ids", fmt::format("'{}' is no token id", word));
    }
    ids.push_back(static_cast<TokenId>(*id));
  }
  return ids;
}

Result<ApiOptions> api_options(Verb verb, const Settings& settings, const std::string& model_dir) {
  ApiOptions options;
  options.served_model_names = served_names(settings, model_dir);
  // A benchmark client names the model by its own path; where nobody chose a name for this server, that is no
  // reason for a 404. A plain name that is not served is a mistake all the same.
  const Origin names_from = settings.at("served-model-name").origin;
  const bool names_chosen = names_from == Origin::kCommandLine || names_from == Origin::kConfigFile;
  options.foreign_names = settings.flag("any-model-name")       ? ForeignNames::kAll
                          : verb == Verb::kRun && !names_chosen ? ForeignNames::kPaths
                                                                : ForeignNames::kNone;
  options.model_path = model_dir;
  options.background_responses_max = settings.number("max-background-responses");
  options.response_role = settings.text("response-role");
  SERAPH_ASSIGN_OR_RETURN(options.chat_template, read_chat_template(settings.text("chat-template")));
  SERAPH_ASSIGN_OR_RETURN(options.stop_token_ids, stop_token_ids(settings));
  const std::string& format = settings.text("chat-template-content-format");
  options.content_format = format == "string"   ? ContentFormat::kString
                           : format == "openai" ? ContentFormat::kOpenai
                                                : ContentFormat::kAuto;
  options.enable_auto_tool_choice = settings.flag("enable-auto-tool-choice");
  options.tool_parser = settings.text("tool-call-parser");
  options.reasoning_parser = settings.text("reasoning-parser");
  options.exclude_tools_when_choice_none = settings.flag("exclude-tools-when-tool-choice-none");
  if (options.enable_auto_tool_choice && options.tool_parser.empty()) {
    return option_error("--enable-auto-tool-choice", "it needs --tool-call-parser", "--tool-call-parser auto");
  }
  options.default_chat_template_kwargs = settings.json("default-chat-template-kwargs");
  options.trust_request_chat_template = settings.flag("trust-request-chat-template");
  SERAPH_ASSIGN_OR_RETURN(const Json file, read_generation_config(settings, model_dir));
  SERAPH_ASSIGN_OR_RETURN(options.sampling, merge_sampling_defaults(file, settings.json("override-generation-config")));
  options.max_logprobs = settings.number("max-logprobs");
  options.return_tokens_as_token_ids = settings.flag("return-tokens-as-token-ids");
  options.enable_prompt_tokens_details = settings.flag("enable-prompt-tokens-details");
  options.force_include_usage = settings.flag("enable-force-include-usage");
  options.stop_strings_max = settings.number("max-stop-strings");
  options.completion_prompts_max = settings.number("max-completion-prompts");
  options.choices_max = settings.number("max-n-sequences");
  options.stream_backlog_bytes_max = settings.number("stream-backlog-bytes");
  options.log_requests = settings.flag("enable-log-requests") && !settings.flag("disable-log-requests");
  const std::string& redaction = settings.text("log-redaction");
  options.log_text_bytes_max = redaction == "none" ? settings.number("max-log-len") : 0;
  options.log_peers = redaction != "peers";
  options.dev_mode = settings.flag("server-dev-mode");
  options.enable_sleep_mode = settings.flag("enable-sleep-mode");
  options.enable_scale_out = settings.flag("enable-scale-out");
  options.enable_server_load = settings.flag("enable-server-load-tracking");
  return options;
}

}  // namespace

bool is_loopback(const HttpOptions& http) {
  return http.host.starts_with("127.") || http.host == "localhost" || http.host == "::1" || !http.uds.empty();
}

Result<Settings> resolve_server_settings(Verb verb, const Sources& sources) {
  SERAPH_ASSIGN_OR_RETURN(Settings settings, resolve_settings(server_options(verb), verb, sources));
  const Setting& model = settings.at("model");
  std::error_code error;
  if (model.origin != Origin::kDefault || !model.set || fs::is_directory(model.text, error)) return settings;
  const std::string demo = find_demo_dir(executable_path());
  if (demo.empty()) return settings;
  SERAPH_RETURN_IF_ERROR(
      settings.assign(Assignment{.row = settings.table().find("model"),
                                 .words = {demo},
                                 .origin = Origin::kDemo,
                                 .where = fmt::format("the demo checkpoint, for {} does not exist", model.text)}));
  return settings;
}

std::string find_demo_dir(const std::string& executable) {
  const fs::path folder = fs::path(executable).parent_path();
  const fs::path candidates[] = {folder / "../share/seraph/demo", folder / "../config/demo", folder / "config/demo",
                                 fs::path(SERAPH_DEMO_DIR)};
  for (const fs::path& candidate : candidates) {
    std::error_code error;
    if (fs::exists(candidate / "config.json", error)) return fs::weakly_canonical(candidate, error).string();
  }
  return "";
}

Result<std::vector<std::string>> read_key_file(const std::string& path) {
  const auto text = read_text(path);
  if (!text) return option_error("--api-key-file", fmt::format("the key file {} cannot be read", path));
  std::vector<std::string> keys;
  std::string_view rest = *text;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    if (!line.empty() && line.front() != '#') keys.emplace_back(line);
  }
  // A file that was meant to guard the server must not leave it open by being empty.
  if (keys.empty()) return option_error("--api-key-file", fmt::format("the key file {} holds no key", path));
  return keys;
}

Result<std::string> read_chat_template(const std::string& value) {
  if (value.empty()) return std::string();
  if (auto text = value.size() < 4096 ? read_text(value) : std::nullopt) return std::move(*text);
  if (value.find_first_of("{}\n") != std::string::npos) return value;
  if (const BuiltinTemplate* builtin = find_builtin_template(value)) return std::string(builtin->text);
  std::string names;
  for (const BuiltinTemplate& builtin : builtin_templates()) names += fmt::format(" {}", builtin.name);
  return option_error("--chat-template", fmt::format("'{}' looks like a file name, but there is no such file", value),
                      fmt::format("give a file that exists, the template's text, or one of:{}", names));
}

Result<SamplingDefaults> merge_sampling_defaults(const Json& file, const Json& overrides) {
  SamplingDefaults defaults;
  for (const Json* source : {&file, &overrides}) {
    const char* where = source == &file ? "generation_config.json" : "--override-generation-config";
    const char* remedy = source == &file ? "correct it, or use --generation-config vllm" : "correct it";
    Status status;
    const auto number = [&](const char* name, auto& target, double low, double high) {
      const Json* value = source->find(name);
      if (value == nullptr || value->is_null()) return;
      if (!value->is_number() || !(value->as_double() >= low && value->as_double() <= high)) {
        status = Error{ErrorCode::kInvalidArgument,
                       fmt::format("{}: {} must be a number from {:g} to {:g}", where, name, low, high), remedy, name};
        return;
      }
      using Value = typename std::remove_reference_t<decltype(target)>::value_type;
      target = static_cast<Value>(value->as_double());
    };
    number("temperature", defaults.temperature, 0, 2);
    number("top_p", defaults.top_p, 1e-9, 1);
    number("min_p", defaults.min_p, 0, 1);
    number("repetition_penalty", defaults.repetition_penalty, 1e-9, 1e6);
    number("top_k", defaults.top_k, -1, 1e9);
    number("max_new_tokens", defaults.max_new_tokens, 1, 1e9);
    if (!status.ok()) return status.error();
  }
  return defaults;
}

Result<ServerSettings> make_server_settings(Verb verb, const Settings& settings) {
  ServerSettings out;
  SERAPH_ASSIGN_OR_RETURN(const std::string model_dir, model_folder(settings));
  out.is_demo = settings.at("model").origin == Origin::kDemo;
  if (settings.number("block-size") % 8 != 0) {
    return option_error("--block-size", fmt::format("{} is no multiple of 8", settings.number("block-size")));
  }
  out.engine = engine_options(settings, model_dir);
  SERAPH_RETURN_IF_ERROR(choose_runner(settings, out.engine));
  add_rope_overrides(settings, model_dir, out.engine.config_overrides);
  SERAPH_ASSIGN_OR_RETURN(out.http, http_options(settings));
  SERAPH_ASSIGN_OR_RETURN(out.api, api_options(verb, settings, model_dir));
  const bool guarded = !out.http.api_keys.empty();
  SERAPH_RETURN_IF_ERROR(read_adapter_settings(settings, is_loopback(out.http), guarded, out.engine, out.api));
  // A request that can never be submitted whole would be told to try again for ever.
  if (out.api.choices_max > out.engine.submit_ring_slots) {
    return option_error(
        "--max-n-sequences",
        fmt::format("{} is more than the {} of --submit-ring-slots", out.api.choices_max, out.engine.submit_ring_slots),
        "lower it, or raise --submit-ring-slots");
  }
  out.tokenizer_dir = settings.text("tokenizer").empty() ? model_dir : settings.text("tokenizer");
  out.db_path = settings.text("db");
  out.shutdown_timeout_s = settings.real("shutdown-timeout");
  out.log_stats = !settings.flag("disable-log-stats");
  out.log_stats_interval_s = settings.real("log-stats-interval");
  return out;
}

}  // namespace seraph
