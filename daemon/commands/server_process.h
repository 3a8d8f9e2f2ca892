// The server from bound socket to exit: engine, store, API and HTTP server around one libuv loop, and the same
// backwards at shutdown. One object a process; everything but the engine's callback runs on the loop thread.
//
// Shutdown: SIGTERM or SIGINT stops accepting, lets running requests finish until the deadline, cancels the rest,
// closes, and the exit status is 0. What a worker still prepares then is left behind. A second signal ends the process
// at once. A sticky device failure takes the same way with a short deadline and exit status 1.
#pragma once

#include <uv.h>

#include <memory>
#include <string>

#include "daemon/api/api.h"
#include "daemon/commands/server_settings.h"
#include "daemon/http/server.h"
#include "daemon/store/store.h"
#include "engine/base/result.h"
#include "engine/engine.h"
#include "engine/text/tokenizer.h"

namespace seraph {

class ServerProcess {
 public:
  explicit ServerProcess(ServerSettings settings);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  /// Binds the port first, so that a taken one is known before minutes of loading; then loads.
  Status start();
  /// Serves until a signal or a failure; returns the exit status. Ends the process itself when a worker is still busy
  /// after the deadline.
  int run();

  /// What `start` prepared, for the lines that greet the user.
  std::string address() const { return server_->address(); }
  const EngineInfo& engine_info() const { return engine_->info(); }

 private:
  Status load_model();
  void start_handles();
  void on_signal(int signal);
  void on_tick();
  void begin_shutdown(double timeout_s);
  void step_shutdown();
  [[noreturn]] void end_without_workers();
  void log_stats();

  const ServerSettings settings_;
  uv_loop_t loop_ = {};
  uv_async_t engine_events_ = {};  // sent by the engine thread; closed after the engine is gone
  uv_signal_t signals_[2] = {};
  uv_timer_t tick_ = {};  // shutdown's progress, health and statistics
  Router router_;         // constant once the loop runs
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Api> api_;
  int exit_status_ = 0;
  bool stopping_ = false;
  bool cancelled_ = false;
  bool closing_ = false;
  MonotonicUs deadline_us_ = 0;
  MonotonicUs stats_us_ = 0;  // when the last statistics line was due
  EngineStats stats_before_;
};

}  // namespace seraph
