// Work on libuv's worker pool with its result back on the loop. Loop thread.
#pragma once

#include <functional>

struct uv_loop_s;

namespace seraph {

class WorkPool {
 public:
  explicit WorkPool(uv_loop_s* loop) : loop_(loop) {}
  /// Runs the loop until nothing is pending: workers borrow what the owner is about to destroy.
  ~WorkPool();
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  /// `work` runs on a worker and must not throw; `done` follows on the loop.
  void run(std::function<void()> work, std::function<void()> done);
  int num_pending() const { return num_pending_; }

 private:
  uv_loop_s* const loop_;
  int num_pending_ = 0;
};

}  // namespace seraph
