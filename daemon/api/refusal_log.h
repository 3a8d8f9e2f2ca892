// The rows of requests that the engine was to work for and never saw: refused by their key, their body or a limit, or
// left by their client before. With them the database has a row of every request of an inference endpoint. Loop thread.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "daemon/http/server.h"
#include "daemon/store/store.h"

namespace seraph {

class RefusalLog {
 public:
  /// `store` may be null, and outlives this object.
  RefusalLog(std::string model, Store* store) : model_(std::move(model)), store_(store) {}

  /// `path` is one of an inference endpoint.
  void add_path(std::string path) { paths_.insert(std::move(path)); }
  /// `reason` as in RequestRow::finish_reason.
  void record(const HttpRequest& request, int status, std::string_view reason);
  /// The same of a request that only its path is known of; others than inference endpoints are passed over.
  void record(std::string_view path, int status);

 private:
  void record(RequestRow row);

  const std::string model_;
  Store* const store_;
  std::unordered_set<std::string> paths_;
};

}  // namespace seraph
