// Part of runtime.h: the calls over cudart. Include runtime.h, not this.
#pragma once

#include <cuda_runtime_api.h>

namespace seraph::cuda {

using Stream = cudaStream_t;
using Event = cudaEvent_t;
using Graph = cudaGraph_t;
using GraphExec = cudaGraphExec_t;

inline Status checked(cudaError_t code, const char* call) { return Status{static_cast<int32_t>(code), call}; }

inline std::string describe(const Status& status) {
  const auto code = static_cast<cudaError_t>(status.code);
  return std::string(status.call) + ": " + cudaGetErrorString(code) + " (error " + std::to_string(status.code) + ")";
}
inline bool is_sticky(int32_t code) { return code >= kErrorIllegalAddress && code <= kErrorLaunchFailure; }

inline Status device_count(int32_t& count) { return checked(cudaGetDeviceCount(&count), "cudaGetDeviceCount"); }
inline Status set_device(int32_t device) { return checked(cudaSetDevice(device), "cudaSetDevice"); }
inline Status device_properties(int32_t device, DeviceProperties& out) {
  cudaDeviceProp prop;
  const Status status = checked(cudaGetDeviceProperties(&prop, device), "cudaGetDeviceProperties");
  if (!status.ok()) return status;
  out.name = prop.name;
  out.sm_version = prop.major * 10 + prop.minor;
  out.num_sms = prop.multiProcessorCount;
  out.shared_bytes_per_block_max = static_cast<int32_t>(prop.sharedMemPerBlockOptin);
  out.shared_bytes_per_sm = static_cast<int32_t>(prop.sharedMemPerMultiprocessor);
  out.l2_bytes = prop.l2CacheSize;
  out.memory_bytes = static_cast<int64_t>(prop.totalGlobalMem);
  return status;
}
inline Status memory_info(int64_t& free_bytes, int64_t& total_bytes) {
  size_t free_size = 0;
  size_t total_size = 0;
  const Status status = checked(cudaMemGetInfo(&free_size, &total_size), "cudaMemGetInfo");
  free_bytes = static_cast<int64_t>(free_size);
  total_bytes = static_cast<int64_t>(total_size);
  return status;
}

inline Status allocate(void** data, int64_t bytes) {
  return checked(cudaMalloc(data, static_cast<size_t>(bytes)), "cudaMalloc");
}
inline Status release(void* data) { return checked(cudaFree(data), "cudaFree"); }
/// Host memory that the device reaches too, at the same address.
inline Status allocate_pinned(void** data, int64_t bytes) {
  return checked(cudaHostAlloc(data, static_cast<size_t>(bytes), cudaHostAllocPortable | cudaHostAllocMapped),
                 "cudaHostAlloc");
}
inline Status release_pinned(void* data) { return checked(cudaFreeHost(data), "cudaFreeHost"); }

inline Status copy_async(void* to, const void* from, int64_t bytes, CopyKind kind, Stream stream) {
  constexpr cudaMemcpyKind kKinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice};
  return checked(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kKinds[static_cast<int>(kind)], stream),
                 "cudaMemcpyAsync");
}
inline Status fill_async(void* data, uint8_t byte, int64_t bytes, Stream stream) {
  return checked(cudaMemsetAsync(data, byte, static_cast<size_t>(bytes), stream), "cudaMemsetAsync");
}

inline Status create_stream(Stream& stream) {
  return checked(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
}
inline Status destroy_stream(Stream stream) { return checked(cudaStreamDestroy(stream), "cudaStreamDestroy"); }
inline Status synchronize(Stream stream) { return checked(cudaStreamSynchronize(stream), "cudaStreamSynchronize"); }
inline Status synchronize_device() { return checked(cudaDeviceSynchronize(), "cudaDeviceSynchronize"); }

inline Status create_event(Event& event) { return checked(cudaEventCreate(&event), "cudaEventCreate"); }
inline Status destroy_event(Event event) { return checked(cudaEventDestroy(event), "cudaEventDestroy"); }
inline Status record(Event event, Stream stream) { return checked(cudaEventRecord(event, stream), "cudaEventRecord"); }
inline Status wait(Stream stream, Event event) {
  return checked(cudaStreamWaitEvent(stream, event, 0), "cudaStreamWaitEvent");
}
/// Ok when everything before the event's record is done, kErrorNotReady when not yet.
inline Status query(Event event) { return checked(cudaEventQuery(event), "cudaEventQuery"); }
inline Status synchronize(Event event) { return checked(cudaEventSynchronize(event), "cudaEventSynchronize"); }
inline Status elapsed_ms(Event begin, Event end, float& ms) {
  return checked(cudaEventElapsedTime(&ms, begin, end), "cudaEventElapsedTime");
}

inline Status begin_capture(Stream stream) {
  return checked(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
}
inline Status end_capture(Stream stream, Graph& graph) {
  return checked(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
}
inline Status instantiate(GraphExec& exec, Graph graph) {
  return checked(cudaGraphInstantiate(&exec, graph, 0), "cudaGraphInstantiate");
}
inline Status num_nodes(Graph graph, int64_t& count) {
  size_t size = 0;
  const Status status = checked(cudaGraphGetNodes(graph, nullptr, &size), "cudaGraphGetNodes");
  count = static_cast<int64_t>(size);
  return status;
}
inline Status launch_graph(GraphExec exec, Stream stream) {
  return checked(cudaGraphLaunch(exec, stream), "cudaGraphLaunch");
}
inline Status destroy_graph(Graph graph) { return checked(cudaGraphDestroy(graph), "cudaGraphDestroy"); }
inline Status destroy_graph_exec(GraphExec exec) { return checked(cudaGraphExecDestroy(exec), "cudaGraphExecDestroy"); }

}  // namespace seraph::cuda
