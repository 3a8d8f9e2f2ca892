// Steps recorded once and replayed, as CUDA graphs.
#include "kernels/cuda/cuda_backend.h"

namespace seraph::cuda {
namespace {

class RecordedStep final : public DeviceGraph {
 public:
  explicit RecordedStep(GraphExec exec) : exec_(exec) {}
  RecordedStep(const RecordedStep&) = delete;
  RecordedStep& operator=(const RecordedStep&) = delete;
  ~RecordedStep() override { static_cast<void>(destroy_graph_exec(exec_).ok()); }
  GraphExec exec() const { return exec_; }

 private:
  GraphExec exec_;
};

}  // namespace

void CudaBackend::begin_recording() {
  if (work_.failed()) return;
  recording_ = work_.check(begin_capture(work_.stream()));
  lists_.set_recording(recording_);
  sampler_.set_recording(recording_);
}

std::unique_ptr<DeviceGraph> CudaBackend::end_recording() {
  if (!recording_) return nullptr;
  recording_ = false;
  lists_.set_recording(false);
  sampler_.set_recording(false);
  Graph graph = {};
  GraphExec exec = {};
  // The capture must be ended also when an operation failed, else every later call does.
  if (!work_.check(end_capture(work_.stream(), graph))) return nullptr;
  const bool made = !work_.failed() && work_.check(instantiate(exec, graph));
  work_.check(destroy_graph(graph));
  return made ? std::make_unique<RecordedStep>(exec) : nullptr;
}

void CudaBackend::replay(const DeviceGraph& graph) {
  begin_step();
  if (!work_.failed()) work_.check(launch_graph(static_cast<const RecordedStep&>(graph).exec(), work_.stream()));
}

}  // namespace seraph::cuda
