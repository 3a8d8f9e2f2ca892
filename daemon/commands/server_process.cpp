#include "daemon/commands/server_process.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <future>

#include "daemon/commands/logging.h"
#include "daemon/commands/web_page.h"
#include "engine/base/check.h"

namespace seraph {
namespace {

constexpr uint64_t kTickMs = 1000;            // while serving: health and statistics
constexpr uint64_t kShutdownTickMs = 5;       // while requests finish
constexpr double kFailedTimeoutS = 2;         // for answers after a device failure
constexpr MonotonicUs kCancelUs = 2'000'000;  // for cancelled requests to end, after the deadline

/// Before the loop runs there is nothing to finish: a signal ends the process quietly.
void exit_quietly(int) { _exit(0); }

}  // namespace

ServerProcess::ServerProcess(ServerSettings settings) : settings_(std::move(settings)) {
  std::signal(SIGPIPE, SIG_IGN);  // a client that goes away is an error value, not a signal
  std::signal(SIGTERM, exit_quietly);
  std::signal(SIGINT, exit_quietly);
  SERAPH_CHECK(uv_loop_init(&loop_) == 0, "a loop can be made at start");
  loop_.data = this;
}

ServerProcess::~ServerProcess() {
  if (server_ != nullptr && !closing_) {
    // Other handles keep the loop alive, so the server's end has to stop it.
    server_->close([this] { uv_stop(&loop_); });
    uv_run(&loop_, UV_RUN_DEFAULT);
  }
  api_.reset();
  engine_.reset();
  uv_walk(
      &loop_,
      [](uv_handle_t* handle, void*) {
        if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
      },
      nullptr);
  uv_run(&loop_, UV_RUN_DEFAULT);
  server_.reset();
  uv_loop_close(&loop_);
}

Status ServerProcess::start() {
  HttpOptions http = settings_.http;
  http.refusal_log = [this](const AccessRecord& refused) {
    if (api_ != nullptr) api_->on_refused(refused.path, refused.status);
  };
  auto server = HttpServer::listen(&loop_, http, router_);
  if (!server.ok()) return server.error();
  server_ = std::move(*server);
  if (!settings_.db_path.empty()) {
    SERAPH_ASSIGN_OR_RETURN(store_, Store::open(settings_.db_path));
  }
  SERAPH_RETURN_IF_ERROR(load_model());

  ApiArgs args;
  args.loop = &loop_;
  args.engine = engine_.get();
  args.tokenizer = tokenizer_.get();
  args.store = store_.get();
  args.options = settings_.api;
  SERAPH_ASSIGN_OR_RETURN(api_, Api::make(std::move(args)));
  api_->add_routes(router_);
  if (!engine_->info().pooling.pools()) add_web_page(router_);
  api_->set_http_counters([this] { return server_->counters(); });
  start_handles();
  return {};
}

Status ServerProcess::load_model() {
  uv_async_init(&loop_, &engine_events_, [](uv_async_t* handle) {
    auto* self = static_cast<ServerProcess*>(handle->loop->data);
    if (self->api_ != nullptr) self->api_->on_engine_events();
  });
  // A large vocabulary takes as long as small weights: both load at once.
  const auto load_tokenizer = [this]() -> Status {
    SERAPH_ASSIGN_OR_RETURN(tokenizer_, Tokenizer::load(settings_.tokenizer_dir));
    return {};
  };
  const std::shared_future<Status> tokenizer = std::async(std::launch::async, load_tokenizer).share();
  EngineOptions options = settings_.engine;
  options.tokenizer_eos = [this, tokenizer] { return tokenizer.get().ok() ? tokenizer_->eos_id() : -1; };
  auto engine = Engine::make(options, [this] { uv_async_send(&engine_events_); });
  const Status tokenizer_status = tokenizer.get();
  if (!engine.ok()) return engine.error();
  engine_ = std::move(*engine);
  SERAPH_RETURN_IF_ERROR(tokenizer_status);
  if (settings_.api.chat_template.empty() && tokenizer_->chat_template(false).empty()) {
    spdlog::warn(
        "the checkpoint has no chat template and no family preset gave one: chat requests get an error; give "
        "--chat-template, or let `run` find a preset by MODEL_ID or CONV_TEMPLATE");
  }
  return {};
}

void ServerProcess::start_handles() {
  const int numbers[] = {SIGTERM, SIGINT};
  for (int i = 0; i < 2; ++i) {
    uv_signal_init(&loop_, &signals_[i]);
    uv_signal_start(
        &signals_[i],
        [](uv_signal_t* handle, int number) { static_cast<ServerProcess*>(handle->loop->data)->on_signal(number); },
        numbers[i]);
  }
  uv_timer_init(&loop_, &tick_);
  const auto on_tick = [](uv_timer_t* handle) { static_cast<ServerProcess*>(handle->loop->data)->on_tick(); };
  uv_timer_start(&tick_, on_tick, kTickMs, kTickMs);
  stats_us_ = now_us();
  stats_before_ = engine_->stats();
}

int ServerProcess::run() {
  uv_run(&loop_, UV_RUN_DEFAULT);
  if (!api_->idle()) end_without_workers();
  return exit_status_;
}

/// Every request has its answer or lost its connection by now, but a worker that tokenizes megabytes cannot be
/// interrupted, and the destructor would wait for it past every deadline. Only the rows of the store must not be lost.
void ServerProcess::end_without_workers() {
  spdlog::warn("a request is still being prepared: the process ends without it");
  store_.reset();
  stop_logging();
  _exit(exit_status_);
}

void ServerProcess::on_signal(int number) {
  if (stopping_) _exit(128 + number);  // the second signal: the user does not want to wait
  spdlog::info("signal {}: finishing running requests for up to {:g} s; again to stop at once", number,
               settings_.shutdown_timeout_s);
  begin_shutdown(settings_.shutdown_timeout_s);
}

void ServerProcess::begin_shutdown(double timeout_s) {
  stopping_ = true;
  deadline_us_ = now_us() + static_cast<MonotonicUs>(timeout_s * 1e6);
  server_->stop_accepting();
  api_->begin_shutdown();
  uv_timer_set_repeat(&tick_, kShutdownTickMs);
  uv_timer_again(&tick_);
}

void ServerProcess::step_shutdown() {
  if (closing_) return;
  const bool finished = api_->idle() && server_->counters().connections_open == 0;
  const EngineStats stats = engine_->stats();
  const bool stands = stats.sleep_level > 0 || stats.paused;  // what waits will not run in any time
  if (!finished && !cancelled_ && (stands || now_us() >= deadline_us_)) {
    if (stands) {
      spdlog::warn("requests wait for a server that {}: they are cancelled", stats.paused ? "is paused" : "sleeps");
    } else {
      spdlog::warn("requests still run after {:g} s: they are cancelled", settings_.shutdown_timeout_s);
    }
    api_->cancel_all();
    cancelled_ = true;
    deadline_us_ = now_us() + kCancelUs;
    return;
  }
  if (!finished && now_us() < deadline_us_) return;
  closing_ = true;
  server_->close([this] { uv_stop(&loop_); });
}

void ServerProcess::on_tick() {
  if (stopping_) {
    step_shutdown();
    return;
  }
  if (engine_->stats().failed) {
    spdlog::critical("the device failed; open requests were answered with an error, the process ends");
    exit_status_ = 1;
    begin_shutdown(kFailedTimeoutS);
    return;
  }
  const bool due = static_cast<double>(now_us() - stats_us_) >= settings_.log_stats_interval_s * 1e6;
  if (settings_.log_stats && due) log_stats();
}

void ServerProcess::log_stats() {
  const EngineStats now = engine_->stats();
  const double seconds = static_cast<double>(now_us() - stats_us_) * 1e-6;
  const int64_t prompt = now.prompt_tokens - stats_before_.prompt_tokens;
  const int64_t generated = now.generation_tokens - stats_before_.generation_tokens;
  const int64_t queries = now.prefix_queries_tokens - stats_before_.prefix_queries_tokens;
  const int64_t hits = now.prefix_hits_tokens - stats_before_.prefix_hits_tokens;
  stats_us_ = now_us();
  stats_before_ = now;
  if (prompt == 0 && generated == 0 && now.num_running == 0) return;  // an idle server keeps its log short
  const auto percent = [](int64_t part, int64_t whole) {
    return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0.0;
  };
  spdlog::info(
      "Avg prompt throughput: {:.1f} tokens/s, Avg generation throughput: {:.1f} tokens/s, Running: {} reqs, "
      "Waiting: {} reqs, KV cache usage: {:.1f}%, Prefix cache hit rate: {:.1f}%",
      static_cast<double>(prompt) / seconds, static_cast<double>(generated) / seconds, now.num_running, now.num_waiting,
      percent(now.kv_blocks_held, now.kv_blocks_total), percent(hits, queries));
}

}  // namespace seraph
