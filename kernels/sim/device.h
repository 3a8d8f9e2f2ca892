// The simulated GPU: memory, streams, events, graphs, and the statistics of every launch. One Device at a time is what
// the calls of runtime.h act on, the one made last; tests make their own to set a seed, inject errors and read the
// counts. Without one, the first runtime call makes a default device. One thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/launch.h"
#include "kernels/sim/block.h"

namespace seraph::sim {

struct DeviceOptions {
  uint64_t seed = 1;  // of the order of blocks, lanes and streams
  int32_t sm_version = 90;
  int32_t num_sms = 4;
  int64_t memory_bytes = int64_t{1} << 30;
  bool count_accesses = true;  // sectors and bank conflicts; budgets hold only with it
  bool enforce_budgets = true;
  bool has_blas = true;                           // false: a machine where cuBLASLt is not installed
  int64_t fail_at_call = 0;                       // the n-th runtime call from now on returns fail_code (0: none)
  int32_t fail_code = cuda::kErrorLaunchFailure;  // a sticky code also fails every later call
};

/// A kernel or copy, a mark for an event, or a wait for one.
struct Operation {
  enum class Kind : uint8_t { kWork, kRecord, kWait } kind = Kind::kWork;
  std::function<void()> work = {};
  EventState* event = nullptr;
  uint64_t ticket = 0;  // of the record that this is, or that is waited for
};

struct StreamState {
  std::deque<Operation> queue;
  GraphState* capture = nullptr;
  bool captures_first = false;  // begin_capture was called on this stream itself
};

struct EventState {
  uint64_t recorded = 0;
  uint64_t completed = 0;
  GraphState* capture = nullptr;  // recorded inside a capture
};

struct GraphState {
  std::vector<std::function<void()>> nodes;  // in the order of capture
};

struct GraphExecState {
  std::vector<std::function<void()>> nodes;
};

/// Of blas.cpp: what a handle stands for, and the object behind it.
struct LibraryHandle {
  uint32_t kind = 0;
  std::shared_ptr<void> object = {};
};

class Device {
 public:
  explicit Device(const DeviceOptions& options = {});
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  /// The device that runtime calls act on.
  static Device& current();

  /// "" or what is wrong: the first defect, with kernel, block and thread named.
  const std::string& fault() const { return fault_; }
  /// Living allocations, streams, events, graphs and handles of libraries: zero when everything was given back.
  int64_t num_living() const;
  const LaunchStats& last_launch() const { return last_launch_; }
  /// Sums by kernel name since the device was made.
  const std::map<std::string, LaunchStats>& totals() const { return totals_; }
  int64_t num_launches() const { return num_launches_; }
  int64_t num_calls() const { return num_calls_; }
  /// The n-th runtime call from now on fails; 0: none.
  void fail_at_call(int64_t n, int32_t code);

  // For runtime.cpp.
  cuda::Status begin_call(const char* call);
  cuda::Status enqueue(StreamState* stream, std::function<void()> work, const char* call);
  StreamState* stream_or_default(StreamState* stream) { return stream != nullptr ? stream : &default_stream_; }
  void run_until_empty(const StreamState* stream);
  void run_until_complete(const EventState* event, uint64_t ticket);
  void run_everything();
  bool run_one();
  void run_launch(const cuda::LaunchConfig& config, const std::function<void()>& body);
  void run_copy(void* to, const void* from, int64_t bytes, cuda::CopyKind kind);
  void run_fill(void* data, uint8_t byte, int64_t bytes);
  void set_fault(int32_t code, const std::string& fault);
  cuda::Status status(const char* call) const { return {sticky_code_, call}; }

  const DeviceOptions& options() const { return options_; }
  /// Dynamic and static together, for the generation that the device plays.
  int32_t shared_bytes_per_block_max() const;
  Heap& heap() { return heap_; }
  std::vector<std::unique_ptr<StreamState>>& streams() { return streams_; }
  std::vector<std::unique_ptr<EventState>>& events() { return events_; }
  std::vector<std::unique_ptr<GraphState>>& graphs() { return graphs_; }
  std::vector<std::unique_ptr<GraphExecState>>& graph_execs() { return graph_execs_; }
  std::map<void*, LibraryHandle>& library_handles() { return library_handles_; }

 private:
  uint64_t random();
  StreamState* pick_stream();
  void check_budget(const LaunchRun& launch, const cuda::KernelBudget& budget);

  DeviceOptions options_;
  Device* previous_;  // current before this one was made
  Heap heap_;
  Block block_;
  StreamState default_stream_;
  std::vector<std::unique_ptr<StreamState>> streams_;
  std::vector<std::unique_ptr<EventState>> events_;
  std::vector<std::unique_ptr<GraphState>> graphs_;
  std::vector<std::unique_ptr<GraphExecState>> graph_execs_;
  std::map<void*, LibraryHandle> library_handles_;
  uint64_t random_state_;
  uint32_t next_serial_ = 1;
  int32_t sticky_code_ = 0;
  std::string fault_;
  LaunchStats last_launch_;
  std::map<std::string, LaunchStats> totals_;
  int64_t num_launches_ = 0;
  int64_t num_calls_ = 0;
};

}  // namespace seraph::sim
