// The sqlite file: request metrics, stored responses and adapters. One writer thread owns the database; the
// loop hands rows over through a bounded queue and never waits. WAL, prepared statements, one transaction per
// batch of rows, schema versions in PRAGMA user_version. A row that was committed survives kill -9.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/result.h"

namespace seraph {

/// One HTTP request that the engine worked for, or was to: a refused one has its status and no tokens. Times in
/// microseconds; -1: not reached.
struct RequestRow {
  int64_t time_us = 0;     // Unix time of arrival
  std::string request_id;  // the id the client saw
  std::string model;
  std::string endpoint;  // "/v1/chat/completions"
  int32_t status = 200;
  std::string finish_reason;  // of the first choice: stop, length, abort, error
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t queue_us = -1;  // arrival -> first scheduled
  int64_t ttft_us = -1;   // arrival -> first token
  int64_t tpot_us = -1;   // mean time per output token after the first
  int64_t total_us = 0;   // arrival -> last byte handed to the socket
};

/// One kept answer of /v1/responses.
struct ResponseRow {
  int64_t time_us = 0;   // Unix time
  std::string owner;     // whose key made it; "" without keys
  std::string id;        // unique for an owner
  std::string body;      // the response object, JSON
  std::string messages;  // the conversation up to and with the answer: chat messages, JSON
};

/// Its end.
struct ResponseKey {
  std::string owner, id;
};

/// An adapter that was loaded while the server ran, to be loaded again at its next start.
struct AdapterRow {
  int64_t time_us = 0;  // Unix time
  std::string name;     // unique
  std::string path;
  std::string base_model_name;
};

/// Its end.
struct AdapterKey {
  std::string name;
};

using StoreRow = std::variant<RequestRow, ResponseRow, ResponseKey, AdapterRow, AdapterKey>;

struct StoreOptions {
  std::string path;                  // ":memory:" for none
  int64_t rows_max = 1'000'000;      // the newest rows are kept
  int32_t queue_rows_max = 8192;     // rows that wait for the thread; more are dropped. Rounded up to a power of two
  int32_t batch_rows_max = 256;      // rows of one transaction
  int32_t commit_interval_ms = 200;  // a row waits no longer than this for others
  int32_t stop_timeout_ms = 3000;    // for the last commits, when another process holds the file; the rest is lost
};

class Store {
 public:
  /// Opens or creates the file, migrates, starts the thread. Errors name the file, what is wrong with it and --db.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options);
  static Result<std::unique_ptr<Store>> open(const std::string& path) { return open(StoreOptions{.path = path}); }
  /// Commits what is queued, then closes. Rows that could not be committed in time are counted in the log.
  virtual ~Store() = default;
  /// Loop thread; never blocks. When the queue is full the row is dropped and counted.
  virtual void log_request(RequestRow row) = 0;
  /// Likewise. An earlier row of the same owner and id is replaced.
  virtual void save_response(ResponseRow row) = 0;
  virtual void delete_response(std::string_view owner, std::string_view id) = 0;
  /// The responses that the file held when it was opened, oldest first. Once.
  virtual std::vector<ResponseRow> take_responses() = 0;
  /// The adapters that it held, oldest first. Once.
  virtual std::vector<AdapterRow> take_adapters() = 0;
  /// Writes the row and returns when it is committed. Waits for the disk: for workers, never the loop thread.
  virtual Status commit(StoreRow row) = 0;
  /// Rows that were lost: the queue was full, or they could not be written. Changes are logged now and then.
  virtual int64_t rows_dropped() const = 0;
  virtual int64_t rows_committed() const = 0;
};

}  // namespace seraph
