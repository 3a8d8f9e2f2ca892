// The routes of operators: health, version, load, metrics, what the server runs with, sleeping and waking. Loop thread.
#pragma once

#include <functional>

#include "daemon/api/api.h"
#include "daemon/api/errors.h"
#include "daemon/api/metrics.h"
#include "daemon/http/server.h"
#include "engine/engine.h"
#include "engine/text/tokenizer.h"

namespace seraph {

class Operations {
 public:
  struct Args {  // all outlive this object
    Engine* engine = nullptr;
    const Tokenizer* tokenizer = nullptr;
    const ApiOptions* options = nullptr;
    ApiMetrics* metrics = nullptr;
    std::function<int64_t()> num_in_progress;  // requests being answered
    std::function<AdapterUse()> adapter_use;
    std::function<void(const ApiError&)> abort_all;  // ends them with this error
    /// Holds new requests back, and calls back when all others have ended; they go on when resume() is called.
    std::function<void(std::function<void()>)> drain;
    std::function<void()> resume;
  };
  explicit Operations(Args args) : args_(std::move(args)) {}

  void add_routes(Router& router);
  void set_http_counters(std::function<HttpCounters()> counters) { http_counters_ = std::move(counters); }

 private:
  void add_sleep_routes(Router& router);
  void add_dev_routes(Router& router);
  void add_pause_routes(Router& router);
  void sleep(Exchange& exchange);
  void pause(const std::shared_ptr<Exchange>& exchange);
  void health(Exchange& exchange);
  std::string server_info(bool as_json) const;
  std::string tokenizer_info() const;

  const Args args_;
  std::function<HttpCounters()> http_counters_;
};

/// The value of NAME in "a=1&NAME=2", percent-decoding left aside; "" when absent.
std::string_view query_value(std::string_view query, std::string_view name);

}  // namespace seraph
