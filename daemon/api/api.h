// The OpenAI API on top of the engine: routes, requests in, answers and streams out, /metrics. Lives on the
// loop thread; parsing of large bodies, templates and tokenization run on libuv's pool. The caller
// owns the loop, the engine, the tokenizer and the store and keeps them alive longer than the Api.
//
// Order of life: Engine::make (with a callback that sends a uv_async), Api::make, add_routes, HttpServer::listen,
// run the loop (the async's callback calls on_engine_events). Shutdown: HttpServer::stop_accepting,
// begin_shutdown(), wait until idle() or the deadline, then cancel_all(), HttpServer::close, ~Api, ~Engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/http/server.h"
#include "daemon/store/store.h"
#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/engine.h"
#include "engine/text/tokenizer.h"

struct uv_loop_s;

namespace seraph {

/// How messages reach the template: kAuto asks the template (Template::wants_content_parts).
enum class ContentFormat { kAuto, kString, kOpenai };

/// Values for sampling fields that a request leaves out; what is not set here is vLLM's default. The caller has
/// merged generation_config.json (unless --generation-config vllm) and --override-generation-config.
struct SamplingDefaults {
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<double> min_p;
  std::optional<double> repetition_penalty;
  std::optional<int64_t> top_k;
  std::optional<int64_t> max_new_tokens;  // a cap on every request's output
};

/// Which names in a request's `model` are answered besides the served ones; others get a 404.
enum class ForeignNames {
  kNone,
  kPaths,  // a name with a slash is a folder or hub id of the client's side (benchmark clients send theirs)
  kAll,
};

/// An adapter and where it is.
struct AdapterModule {
  std::string name;
  std::string path;
  std::string base_model_name = {};  // "parent" of its model card; "": the first served name
};

struct ApiOptions {
  std::vector<std::string> served_model_names = {"model"};  // the first one is shown in answers and metrics
  ForeignNames foreign_names = ForeignNames::kNone;
  std::string model_path;                // "root" of the model cards
  std::string version = SERAPH_VERSION;  // GET /version
  std::string system_fingerprint;        // "" : "seraph-<version>"
  std::string response_role = "assistant";
  std::string chat_template;  // text that replaces the checkpoint's; "" : the checkpoint's
  ContentFormat content_format = ContentFormat::kAuto;
  bool enable_auto_tool_choice = false;         // tool_choice "auto" is answered
  std::string tool_parser;                      // of tool_formats(); "auto": the one that suits the template; "" : none
  std::string reasoning_parser;                 // of reasoning_formats(); "" : none
  bool exclude_tools_when_choice_none = false;  // tool_choice "none" leaves the tools out of the prompt
  Json default_chat_template_kwargs;            // null or object; a request's kwargs win
  bool trust_request_chat_template = false;     // a request may bring its own template
  SamplingDefaults sampling;
  std::vector<TokenId> stop_token_ids;        // end every answer that may end: not those with ignore_eos
  int64_t max_logprobs = 20;                  // -1: the vocabulary's size
  bool return_tokens_as_token_ids = false;    // default of the field of that name
  bool enable_prompt_tokens_details = false;  // usage.prompt_tokens_details.cached_tokens
  bool force_include_usage = false;           // streams always carry usage, in every event
  int64_t stop_strings_max = 4;
  int64_t completion_prompts_max = 1024;
  int64_t choices_max = 16'384;                        // sequences of one request: prompts times n
  int64_t stream_backlog_bytes_max = 4 << 20;          // of one slow reader, kept here while its socket is full
  size_t grammar_cache_bytes_max = size_t{256} << 20;  // of compiled constraints
  bool log_requests = false;                           // one line per finished request
  int64_t log_text_bytes_max = 0;                      // of the prompt in that line; 0: no text
  bool log_peers = true;                               // that line names the client's address
  int64_t stored_responses_max = 10'000;               // of /v1/responses, for previous_response_id
  int64_t stored_responses_bytes_max = 64 << 20;
  int64_t background_responses_max = 1024;  // that run at one time
  bool enable_lora = false;                 // requests may name adapters
  std::vector<AdapterModule> lora_modules;  // served from the start
  bool runtime_adapters = false;            // the routes of loading and unloading exist
  int32_t adapters_resident_max = 1;        // kept in memory
  bool dev_mode = false;                    // /server_info, /reset_prefix_cache and the routes of sleeping exist
  bool enable_sleep_mode = false;           // the routes of sleeping exist
  bool enable_server_load = false;          // GET /load counts
  bool enable_scale_out = false;            // the disaggregated token routes are served
};

/// The cache line of /metrics (vllm:cache_config_info) and other facts come from Engine::info().
struct ApiArgs {
  uv_loop_s* loop = nullptr;
  Engine* engine = nullptr;
  const Tokenizer* tokenizer = nullptr;
  Store* store = nullptr;  // null: requests are not recorded
  ApiOptions options = {};
};

class Api {
 public:
  /// Compiles the chat template and loads adapters. Errors: the template (line, column), with --chat-template named;
  /// an adapter of `lora_modules`.
  static Result<std::unique_ptr<Api>> make(ApiArgs args);
  virtual ~Api() = default;

  /// Adds every route, also those that answer "not offered yet".
  virtual void add_routes(Router& router) = 0;
  /// For the gauges of open connections in /metrics; may be set after the server listens.
  virtual void set_http_counters(std::function<HttpCounters()> counters) = 0;
  /// Loop thread, after the engine published: dispatches all events and writes what they give.
  virtual void on_engine_events() = 0;

  /// A request for `path` was answered by the HTTP server, with a status that says why not by this one.
  virtual void on_refused(std::string_view path, int status) = 0;

  /// New generation requests are answered 503 from now on.
  virtual void begin_shutdown() = 0;
  /// No request is being prepared or answered.
  virtual bool idle() const = 0;
  /// Ends what still runs: streams get an error event, others a 503.
  virtual void cancel_all() = 0;
};

}  // namespace seraph
