// The loop's side of one request to a pooling model: a vector from each of its prompts, then the answer, which a
// worker writes, since thousands of numbers as text take longer than the loop may. Loop thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/api/metrics.h"
#include "daemon/api/pooling.h"
#include "daemon/api/task.h"
#include "daemon/http/server.h"
#include "daemon/store/store.h"
#include "engine/engine.h"

namespace seraph {

/// What all of them share; constant, outlives them.
struct PoolingServices {
  std::function<void(RequestId)> cancel;  // Engine::cancel
  /// Work for a worker, then a call on the loop.
  std::function<void(std::function<void()>, std::function<void()>)> run;
  const EngineInfo* info = nullptr;
  const ApiOptions* options = nullptr;
  ApiMetrics* metrics = nullptr;
  Store* store = nullptr;  // may be null
};

class PoolingTask final : public Task {
 public:
  struct Args {
    const PoolingServices* services = nullptr;
    std::shared_ptr<Exchange> exchange;
    std::string id;  // of the answer
    PreparedPooling prepared;
  };
  explicit PoolingTask(Args args);

  size_t num_sequences() const override { return prepared_->prompts.size(); }
  std::unique_ptr<Request> make_request(size_t sequence, RequestId id) override;
  bool on_event(size_t sequence, Event& event) override;
  void flush() override {}
  std::vector<RequestId> open_requests() const override;
  bool over() const override { return over_; }
  void abandon() override;
  void fail(const ApiError& error) override;

 private:
  void complete();
  void record_end(int status, std::string_view finish_reason);

  const PoolingServices& services_;
  const std::shared_ptr<Exchange> exchange_;
  const std::string id_;
  const std::shared_ptr<PreparedPooling> prepared_;
  const int64_t arrived_unix_us_;
  std::vector<SequenceRecord> records_;
  std::vector<RequestId> requests_;  // 0: not submitted, or done
  std::vector<std::vector<float>> vectors_;
  size_t num_done_ = 0;
  bool over_ = false;
};

}  // namespace seraph
