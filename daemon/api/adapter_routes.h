// POST /v1/load_lora_adapter and /v1/unload_lora_adapter. Their work is done one request after the other on a worker:
// what two of them at once would mean, nobody could tell. Loop thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/api/adapters.h"
#include "daemon/api/errors.h"
#include "daemon/api/pool.h"
#include "daemon/http/server.h"

namespace seraph {

class AdapterRoutes {
 public:
  struct Args {  // all outlive this object
    AdapterRegistry* registry = nullptr;
    WorkPool* pool = nullptr;
  };
  explicit AdapterRoutes(Args args) : args_(args) {}

  void add_routes(Router& router);

 private:
  using Change = std::optional<ApiError> (*)(std::string_view body, AdapterRegistry& registry, std::string& answer);
  struct Waiting {
    std::shared_ptr<Exchange> exchange;
    Change change = nullptr;
  };

  void enqueue(std::shared_ptr<Exchange> exchange, Change change);
  void run_next();

  const Args args_;
  std::deque<Waiting> waiting_;  // the first one is being worked on
};

// The parts that need no loop. Worker.
std::optional<ApiError> answer_load_adapter(std::string_view body, AdapterRegistry& registry, std::string& answer);
std::optional<ApiError> answer_unload_adapter(std::string_view body, AdapterRegistry& registry, std::string& answer);

}  // namespace seraph
