#include "daemon/api/operations.h"

#include <charconv>
#include <string>
#include <utility>

#include "daemon/api/body.h"
#include "daemon/api/errors.h"
#include "daemon/api/fields.h"
#include "daemon/api/task.h"
#include "engine/base/clock.h"

namespace seraph {
namespace {

constexpr const char* kJsonType = "application/json";
constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

Json engine_facts(const EngineInfo& info) {
  return Json(Json::Object{{"model_type", info.model_type},
                           {"device", info.device},
                           {"dtype", info.dtype},
                           {"kv_cache_dtype", info.kv_cache_dtype},
                           {"vocab_size", static_cast<int64_t>(info.vocab_size)},
                           {"max_model_len", static_cast<int64_t>(info.max_model_len)},
                           {"max_num_seqs", static_cast<int64_t>(info.max_num_seqs)},
                           {"max_num_batched_tokens", static_cast<int64_t>(info.max_num_batched_tokens)},
                           {"block_size", static_cast<int64_t>(info.block_tokens)},
                           {"num_kv_blocks", static_cast<int64_t>(info.num_kv_blocks)},
                           {"num_parameters", info.num_parameters},
                           {"weight_bytes", info.weight_bytes},
                           {"kv_bytes", info.kv_bytes},
                           {"enable_prefix_caching", info.prefix_caching}});
}

/// A handler that answers 200 with what `make` says.
template <typename Make>
auto answer(Make make) {
  return [make](const std::shared_ptr<Exchange>& exchange) { exchange->respond(200, kJsonType, make(*exchange)); };
}

}  // namespace

std::string_view query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name) {
      return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    }
  }
  return {};
}

void Operations::add_routes(Router& router) {
  const auto health_handler = [this](const std::shared_ptr<Exchange>& exchange) { health(*exchange); };
  router.add("GET", "/health", Access::kOpen, health_handler);
  router.add("GET", "/ping", Access::kOpen, health_handler);
  router.add("POST", "/ping", Access::kOpen, health_handler);
  router.add("GET", "/version", Access::kKey, answer([this](const Exchange&) {
               return Json(Json::Object{{"version", args_.options->version}}).dump();
             }));
  router.add("GET", "/load", Access::kKey, answer([this](const Exchange&) {
               const int64_t load = args_.options->enable_server_load ? args_.num_in_progress() : 0;
               return "{\"server_load\":" + std::to_string(load) + '}';
             }));
  router.add("GET", "/metrics", Access::kKey, [this](const std::shared_ptr<Exchange>& exchange) {
    const HttpCounters http = http_counters_ ? http_counters_() : HttpCounters{};
    exchange->respond(200, kMetricsType, args_.metrics->text(args_.engine->stats(), http, args_.adapter_use()));
  });
  router.add("GET", "/tokenizer_info", Access::kKey, answer([this](const Exchange&) { return tokenizer_info(); }));
  router.add("GET", "/kv_event_sources", Access::kKey, answer([](const Exchange&) { return std::string("{}"); }));
  if (!args_.engine->info().pooling.pools()) {
    router.add("POST", "/is_scaling_elastic_ep", Access::kKey,
               answer([](const Exchange&) { return std::string("{\"is_scaling_elastic_ep\":false}"); }));
  }
  if (args_.options->dev_mode) add_dev_routes(router);
  if (args_.options->dev_mode || args_.options->enable_sleep_mode) add_sleep_routes(router);
}

void Operations::add_dev_routes(Router& router) {
  router.add("GET", "/server_info", Access::kKey, answer([this](const Exchange& exchange) {
               return server_info(query_value(exchange.request().query, "config_format") == "json");
             }));
  router.add("POST", "/reset_prefix_cache", Access::kKey, answer([this](const Exchange&) {
               args_.engine->reset_prefix_cache();
               return std::string("{\"success\":true}");
             }));
  for (const char* path : {"/reset_mm_cache", "/reset_encoder_cache"}) {  // text models have neither
    router.add("POST", path, Access::kKey,
               [](const std::shared_ptr<Exchange>& exchange) { exchange->respond(200, "", ""); });
  }
  router.add("GET", "/get_world_size", Access::kKey,
             answer([](const Exchange&) { return std::string("{\"world_size\":1}"); }));
  router.add("POST", "/collective_rpc", Access::kKey, [](const std::shared_ptr<Exchange>& exchange) {
    Json body;
    auto error = parse_body(exchange->request().body, body);
    if (!error) {
      const Json* method = find_given(body, "method");
      error = ApiError{.type = "Bad Request",
                       .message = method == nullptr ? "Missing 'method' in request body"
                                                    : "the workers of this server have no method " + describe(*method)};
    }
    respond_error(*exchange, *error);
  });
  add_pause_routes(router);
}

void Operations::add_pause_routes(Router& router) {
  router.add("POST", "/pause", Access::kKey, [this](const std::shared_ptr<Exchange>& exchange) { pause(exchange); });
  router.add("POST", "/resume", Access::kKey, answer([this](const Exchange&) {
               args_.engine->pause(false);
               args_.resume();
               return std::string("{\"status\":\"resumed\"}");
             }));
  router.add("GET", "/is_paused", Access::kKey, answer([this](const Exchange&) {
               return std::string("{\"is_paused\":") + (args_.engine->stats().paused ? "true" : "false") + '}';
             }));
}

/// ?mode=abort (what runs is ended), wait (until it has ended) or keep (it stands still); ?clear_cache=false keeps what
/// the prefix cache knows.
void Operations::pause(const std::shared_ptr<Exchange>& exchange) {
  const std::string_view mode = query_value(exchange->request().query, "mode");
  const std::string_view clear = query_value(exchange->request().query, "clear_cache");
  if (!mode.empty() && mode != "abort" && mode != "wait" && mode != "keep") {
    return respond_error(*exchange,
                         schema_error({{"literal_error", "query.mode", "Input should be 'abort', 'wait' or 'keep'",
                                        std::string(mode), "'expected': \"'abort', 'wait' or 'keep'\""}}));
  }
  const bool clears = mode != "keep" && clear != "false" && clear != "0";
  const auto finish = [this, exchange, clears] {
    args_.engine->pause(true);
    if (clears) args_.engine->reset_prefix_cache();
    exchange->respond(200, kJsonType, "{\"status\":\"paused\"}");
  };
  if (mode == "wait") return args_.drain(finish);
  if (mode != "keep") {
    args_.abort_all(ApiError{.status = 503,
                             .type = "ServiceUnavailableError",
                             .message = "the server was paused; it answers again after POST /resume",
                             .retry_after_s = 30});
  }
  finish();
}

void Operations::add_sleep_routes(Router& router) {
  router.add("POST", "/sleep", Access::kKey, [this](const std::shared_ptr<Exchange>& exchange) { sleep(*exchange); });
  router.add("POST", "/wake_up", Access::kKey, [this](const std::shared_ptr<Exchange>& exchange) {
    args_.engine->wake_up();
    exchange->respond(200, kJsonType, "{\"status\":\"awake\",\"tags\":null}");
  });
  router.add("GET", "/is_sleeping", Access::kKey, [this](const std::shared_ptr<Exchange>& exchange) {
    const bool asleep = args_.engine->stats().sleep_level > 0;
    exchange->respond(200, kJsonType, std::string("{\"is_sleeping\":") + (asleep ? "true" : "false") + '}');
  });
}

/// ?level=1|2 and ?mode=abort (what runs is ended) or keep (it waits for the waking).
void Operations::sleep(Exchange& exchange) {
  const auto refuse = [&](const ApiError& error) { exchange.respond(error.status, kJsonType, error_json(error)); };
  const std::string_view text = query_value(exchange.request().query, "level");
  const std::string_view mode = query_value(exchange.request().query, "mode");
  int32_t level = 1;
  if (!text.empty()) {
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), level);
    if (code != std::errc() || end != text.data() + text.size()) {
      return refuse(
          schema_error({{"int_parsing", "query.level",
                         "Input should be a valid integer, unable to parse string as an integer", std::string(text)}}));
    }
  }
  if (level != 1 && level != 2) return refuse(bad_request("level must be 1 or 2, got " + std::string(text), "level"));
  if (!mode.empty() && mode != "abort" && mode != "keep") {
    return refuse(bad_request("mode must be abort or keep, got " + std::string(mode), "mode"));
  }
  if (mode != "keep") {
    args_.abort_all(ApiError{.status = 503,
                             .type = "ServiceUnavailableError",
                             .message = "the server was put to sleep; it answers again after POST /wake_up",
                             .retry_after_s = 30});
  }
  args_.engine->sleep(level);
  exchange.respond(200, kJsonType, "{\"status\":\"sleeping\",\"level\":" + std::to_string(level) + '}');
}

void Operations::health(Exchange& exchange) { exchange.respond(args_.engine->healthy(now_us()) ? 200 : 503, "", ""); }

/// vLLM's three keys; its settings are one text unless JSON is asked for.
std::string Operations::server_info(bool as_json) const {
  Json config = engine_facts(args_.engine->info());
  config.set("model", Json(args_.options->model_path));
  config.set("served_model_name", Json(args_.options->served_model_names.front()));
  Json shown = as_json ? std::move(config) : Json(config.dump());
  return Json(Json::Object{{"vllm_config", std::move(shown)},
                           {"vllm_env", Json(Json::Object{})},
                           {"system_env", Json(Json::Object{{"version", args_.options->version},
                                                            {"device", args_.engine->info().device}})}})
      .dump();
}

std::string Operations::tokenizer_info() const {
  Json info(Json::Object{{"vocab_size", static_cast<int64_t>(args_.tokenizer->vocab_size())},
                         {"model_max_length", static_cast<int64_t>(args_.engine->info().max_model_len)}});
  const Json& special = args_.tokenizer->special_tokens();
  if (special.is_object()) {
    for (const auto& [name, value] : special.as_object()) info.set(name, value);
  }
  const std::string& own = args_.options->chat_template;
  info.set("chat_template", Json(own.empty() ? args_.tokenizer->chat_template(false) : own));
  return info.dump();
}

}  // namespace seraph
