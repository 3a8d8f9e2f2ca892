// The calls of runtime.h on the simulated device.
#include "kernels/cuda/runtime.h"

#include <algorithm>

#include "kernels/sim/device.h"

namespace seraph::cuda {
namespace {

using sim::Device;
using sim::Operation;

Device& device() { return Device::current(); }

/// Removes an owned object; false when it is none of the list's.
template <typename T>
bool forget(std::vector<std::unique_ptr<T>>& owned, const T* object) {
  const auto found = std::find_if(owned.begin(), owned.end(), [&](const auto& each) { return each.get() == object; });
  if (found == owned.end()) return false;
  owned.erase(found);
  return true;
}

template <typename T>
T* make_in(std::vector<std::unique_ptr<T>>& owned) {
  return owned.emplace_back(std::make_unique<T>()).get();
}

bool is_capturing() {
  return std::any_of(device().streams().begin(), device().streams().end(),
                     [](const auto& stream) { return stream->capture != nullptr; });
}

const char* error_text(int32_t code) {
  switch (code) {
    case kErrorInvalidValue:
      return "invalid argument";
    case kErrorOutOfMemory:
      return "out of memory";
    case kErrorInvalidHandle:
      return "invalid resource handle";
    case kErrorNotReady:
      return "device not ready";
    case kErrorIllegalAddress:
      return "an illegal memory access was encountered";
    case kErrorLaunchFailure:
      return "unspecified launch failure";
    case kErrorCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    default:
      return code == 0 ? "no error" : "unrecognised error";
  }
}

}  // namespace

std::string describe(const Status& status) {
  std::string text =
      std::string(status.call) + ": " + error_text(status.code) + " (error " + std::to_string(status.code) + ")";
  if (is_sticky(status.code) && !device().fault().empty()) text += ": " + device().fault();
  return text;
}

bool is_sticky(int32_t code) { return code >= kErrorIllegalAddress && code <= kErrorLaunchFailure; }

Status device_count(int32_t& count) {
  count = 1;
  return device().begin_call("cudaGetDeviceCount");
}

Status set_device(int32_t number) {
  const Status status = device().begin_call("cudaSetDevice");
  return status.ok() && number != 0 ? Status{kErrorInvalidValue, status.call} : status;
}

Status device_properties(int32_t number, DeviceProperties& out) {
  const Status status = device().begin_call("cudaGetDeviceProperties");
  if (!status.ok()) return status;
  if (number != 0) return {kErrorInvalidValue, status.call};
  const sim::DeviceOptions& options = device().options();
  out.name = "seraph simulator";
  out.sm_version = options.sm_version;
  out.num_sms = options.num_sms;
  out.shared_bytes_per_block_max = device().shared_bytes_per_block_max();
  out.shared_bytes_per_sm = out.shared_bytes_per_block_max + (options.sm_version >= 80 ? 1024 : 0);
  out.l2_bytes = int64_t{4} << 20;
  out.memory_bytes = options.memory_bytes;
  return status;
}

Status memory_info(int64_t& free_bytes, int64_t& total_bytes) {
  const Status status = device().begin_call("cudaMemGetInfo");
  total_bytes = device().heap().bytes_max();
  free_bytes = total_bytes - device().heap().bytes_used();
  return status;
}

Status allocate(void** data, int64_t bytes) {
  const Status status = device().begin_call("cudaMalloc");
  if (!status.ok()) return status;
  if (is_capturing()) return {kErrorCaptureUnsupported, status.call};
  if (bytes <= 0) return {kErrorInvalidValue, status.call};
  *data = device().heap().allocate(bytes, false);
  return *data != nullptr ? status : Status{kErrorOutOfMemory, status.call};
}

Status release(void* data) {
  const Status status = device().begin_call("cudaFree");
  if (data == nullptr) return status;
  device().run_everything();
  if (!device().heap().release(data, false)) return {kErrorInvalidValue, status.call};
  return device().status(status.call);
}

Status allocate_pinned(void** data, int64_t bytes) {
  const Status status = device().begin_call("cudaHostAlloc");
  if (!status.ok()) return status;
  if (bytes <= 0) return {kErrorInvalidValue, status.call};
  *data = device().heap().allocate(bytes, true);
  return *data != nullptr ? status : Status{kErrorOutOfMemory, status.call};
}

Status release_pinned(void* data) {
  const Status status = device().begin_call("cudaFreeHost");
  if (data == nullptr) return status;
  device().run_everything();
  if (!device().heap().release(data, true)) return {kErrorInvalidValue, status.call};
  return device().status(status.call);
}

Status copy_async(void* to, const void* from, int64_t bytes, CopyKind kind, Stream stream) {
  const Status status = device().begin_call("cudaMemcpyAsync");
  if (!status.ok()) return status;
  if (bytes < 0) return {kErrorInvalidValue, status.call};
  if (bytes == 0) return status;
  return device().enqueue(
      stream, [=] { device().run_copy(to, from, bytes, kind); }, status.call);
}

Status fill_async(void* data, uint8_t byte, int64_t bytes, Stream stream) {
  const Status status = device().begin_call("cudaMemsetAsync");
  if (!status.ok()) return status;
  if (bytes < 0) return {kErrorInvalidValue, status.call};
  if (bytes == 0) return status;
  return device().enqueue(
      stream, [=] { device().run_fill(data, byte, bytes); }, status.call);
}

Status create_stream(Stream& stream) {
  const Status status = device().begin_call("cudaStreamCreateWithFlags");
  if (status.ok()) stream = make_in(device().streams());
  return status;
}

Status destroy_stream(Stream stream) {
  const Status status = device().begin_call("cudaStreamDestroy");
  if (stream != nullptr) device().run_until_empty(stream);
  return forget(device().streams(), stream) ? status : Status{kErrorInvalidHandle, status.call};
}

Status synchronize(Stream stream) {
  const Status status = device().begin_call("cudaStreamSynchronize");
  if (!status.ok()) return status;
  const sim::StreamState* target = device().stream_or_default(stream);
  if (target->capture != nullptr) return {kErrorCaptureUnsupported, status.call};
  device().run_until_empty(target);
  return device().status(status.call);
}

Status synchronize_device() {
  const Status status = device().begin_call("cudaDeviceSynchronize");
  if (!status.ok()) return status;
  if (is_capturing()) return {kErrorCaptureUnsupported, status.call};
  device().run_everything();
  return device().status(status.call);
}

Status create_event(Event& event) {
  const Status status = device().begin_call("cudaEventCreate");
  if (status.ok()) event = make_in(device().events());
  return status;
}

Status destroy_event(Event event) {
  const Status status = device().begin_call("cudaEventDestroy");
  if (event != nullptr) {
    device().run_everything();  // queued marks refer to it
  }
  return forget(device().events(), event) ? status : Status{kErrorInvalidHandle, status.call};
}

Status record(Event event, Stream stream) {
  const Status status = device().begin_call("cudaEventRecord");
  if (!status.ok()) return status;
  if (event == nullptr) return {kErrorInvalidHandle, status.call};
  sim::StreamState* target = device().stream_or_default(stream);
  event->capture = target->capture;
  if (target->capture == nullptr) {
    target->queue.push_back({.kind = Operation::Kind::kRecord, .event = event, .ticket = ++event->recorded});
  }
  return status;
}

Status wait(Stream stream, Event event) {
  const Status status = device().begin_call("cudaStreamWaitEvent");
  if (!status.ok()) return status;
  if (event == nullptr) return {kErrorInvalidHandle, status.call};
  sim::StreamState* target = device().stream_or_default(stream);
  if (event->capture != nullptr) {
    // Waiting for an event of a capture draws this stream into it.
    if (target->capture == nullptr) target->capture = event->capture;
  } else if (target->capture != nullptr) {
    return {kErrorCaptureUnsupported, status.call};
  } else {
    target->queue.push_back({.kind = Operation::Kind::kWait, .event = event, .ticket = event->recorded});
  }
  return status;
}

Status query(Event event) {
  const Status status = device().begin_call("cudaEventQuery");
  if (!status.ok()) return status;
  if (event == nullptr) return {kErrorInvalidHandle, status.call};
  if (event->completed < event->recorded) device().run_one();  // time passes while somebody polls
  if (!device().status(status.call).ok()) return device().status(status.call);
  return event->completed < event->recorded ? Status{kErrorNotReady, status.call} : status;
}

Status synchronize(Event event) {
  const Status status = device().begin_call("cudaEventSynchronize");
  if (!status.ok()) return status;
  if (event == nullptr) return {kErrorInvalidHandle, status.call};
  device().run_until_complete(event, event->recorded);
  return device().status(status.call);
}

Status elapsed_ms(Event begin, Event end, float& ms) {
  const Status status = device().begin_call("cudaEventElapsedTime");
  if (!status.ok()) return status;
  if (begin->completed < begin->recorded || end->completed < end->recorded) return {kErrorNotReady, status.call};
  ms = 0.0F;  // nothing here takes a GPU's time
  return status;
}

Status begin_capture(Stream stream) {
  const Status status = device().begin_call("cudaStreamBeginCapture");
  if (!status.ok()) return status;
  if (stream == nullptr || stream->capture != nullptr) return {kErrorCaptureUnsupported, status.call};
  stream->capture = make_in(device().graphs());
  stream->captures_first = true;
  return status;
}

Status end_capture(Stream stream, Graph& graph) {
  const Status status = device().begin_call("cudaStreamEndCapture");
  if (!status.ok()) return status;
  if (stream == nullptr || !stream->captures_first) return {kErrorCaptureUnsupported, status.call};
  graph = stream->capture;
  stream->captures_first = false;
  for (const auto& each : device().streams()) {
    if (each->capture == graph) each->capture = nullptr;
  }
  for (const auto& each : device().events()) {
    if (each->capture == graph) each->capture = nullptr;
  }
  return status;
}

Status instantiate(GraphExec& exec, Graph graph) {
  const Status status = device().begin_call("cudaGraphInstantiate");
  if (!status.ok()) return status;
  if (graph == nullptr) return {kErrorInvalidHandle, status.call};
  exec = make_in(device().graph_execs());
  exec->nodes = graph->nodes;
  return status;
}

Status num_nodes(Graph graph, int64_t& count) {
  const Status status = device().begin_call("cudaGraphGetNodes");
  if (status.ok()) count = static_cast<int64_t>(graph->nodes.size());
  return status;
}

Status launch_graph(GraphExec exec, Stream stream) {
  const Status status = device().begin_call("cudaGraphLaunch");
  if (!status.ok()) return status;
  if (exec == nullptr) return {kErrorInvalidHandle, status.call};
  for (const auto& node : exec->nodes) {
    const Status queued = device().enqueue(stream, node, status.call);
    if (!queued.ok()) return queued;
  }
  return status;
}

Status destroy_graph(Graph graph) {
  const Status status = device().begin_call("cudaGraphDestroy");
  return forget(device().graphs(), graph) ? status : Status{kErrorInvalidHandle, status.call};
}

Status destroy_graph_exec(GraphExec exec) {
  const Status status = device().begin_call("cudaGraphExecDestroy");
  return forget(device().graph_execs(), exec) ? status : Status{kErrorInvalidHandle, status.call};
}

}  // namespace seraph::cuda

namespace seraph::sim {

cuda::Status enqueue_launch(const cuda::LaunchConfig& config, std::function<void()> body) {
  Device& device = Device::current();
  const cuda::Status status = device.begin_call(config.name);
  if (!status.ok()) return status;
  const uint64_t threads = uint64_t{config.block.x} * config.block.y * config.block.z;
  const uint64_t blocks = uint64_t{config.grid.x} * config.grid.y * config.grid.z;
  constexpr uint32_t kGridYMax = 65535;
  constexpr uint64_t kBlocksMax = uint64_t{1} << 24;  // more would not end here anyway
  const bool valid = threads > 0 && threads <= kBlockThreadsMax && blocks > 0 && blocks <= kBlocksMax &&
                     config.block.z <= 64 && config.grid.y <= kGridYMax && config.grid.z <= kGridYMax &&
                     config.shared_bytes >= 0 && config.shared_bytes <= device.shared_bytes_per_block_max();
  if (!valid) return {cuda::kErrorInvalidValue, config.name};
  return device.enqueue(
      config.stream, [config, body = std::move(body)] { Device::current().run_launch(config, body); }, config.name);
}

}  // namespace seraph::sim
