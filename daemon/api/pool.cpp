#include "daemon/api/pool.h"

#include <uv.h>

#include <memory>
#include <utility>

#include "engine/base/check.h"

namespace seraph {
namespace {

struct Job {
  uv_work_t handle{};
  std::function<void()> work;
  std::function<void()> done;
  int* num_pending = nullptr;
};

}  // namespace

WorkPool::~WorkPool() {
  while (num_pending_ > 0) uv_run(loop_, UV_RUN_ONCE);
}

void WorkPool::run(std::function<void()> work, std::function<void()> done) {
  auto job = std::make_unique<Job>();
  job->work = std::move(work);
  job->done = std::move(done);
  job->num_pending = &num_pending_;
  job->handle.data = job.get();
  ++num_pending_;
  const int code = uv_queue_work(
      loop_, &job->handle, [](uv_work_t* handle) { static_cast<Job*>(handle->data)->work(); },
      [](uv_work_t* handle, int) {
        const std::unique_ptr<Job> finished(static_cast<Job*>(handle->data));
        --*finished->num_pending;
        finished->done();
      });
  SERAPH_CHECK(code == 0, "uv_queue_work fails only for a null callback");
  job.release();  // owned by the after-work callback now
}

}  // namespace seraph
