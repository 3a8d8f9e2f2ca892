// How steps reach a device that works on its own: data to and from it, steps that are handed over and waited for, and
// the operations of a step recorded once and replayed. On a device that computes within the call (the CPU) nothing is
// ever in flight, and the defaults here say so. Called by the thread that calls the operations (backend.h).
// Includes the standard library only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace seraph {

struct SampleArgs;

/// Draws that are recorded report at most so many logprobs each.
constexpr int32_t kRecordedLogprobsMax = 31;

/// The device's verdict on everything since the last call. A false `ok` is sticky: end the process.
struct DeviceStatus {
  bool ok = true;
  std::string message = {};
};

/// Operations that were recorded and can be replayed.
class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;
};

class DeviceQueue {
 public:
  virtual ~DeviceQueue() = default;

  /// Host memory may be changed when the call returns; the operations that follow see what was there.
  virtual void upload(void* device, const void* host, int64_t bytes) = 0;
  /// Waits for the operations before it.
  virtual void download(void* host, const void* device, int64_t bytes) = 0;

  /// The lists that operations of the next step will be given, and its draws or null: moved to the device together,
  /// once. An operation that is given another list moves it itself, which a recording does not allow. False when the
  /// draws are too many to go together: then the step cannot be recorded or replayed.
  virtual bool stage(std::span<const std::span<const int32_t>> lists, const SampleArgs* draws) {
    static_cast<void>(lists);
    static_cast<void>(draws);
    return true;
  }
  /// The operations since the last submit() are one step. At most steps_in_flight_max() wait to be collected.
  virtual void submit() {}
  /// Waits for the oldest step that was submitted: its draws are in SampleArgs::results then. `device_us` becomes the
  /// time the device worked on it, or stays where the device cannot tell.
  virtual DeviceStatus collect(int64_t& device_us) {
    static_cast<void>(device_us);
    return synchronize();
  }
  virtual int32_t steps_in_flight_max() const { return 1; }

  /// Between the two calls operations are recorded and not run. Null when the device cannot, or failed. A replay runs
  /// them on the lists staged last, whose sizes are those of the recording, and on the memory that they named. Draws
  /// that report logprobs and draws that report none have recordings of their own.
  virtual bool can_record() const { return false; }
  virtual void begin_recording() {}
  virtual std::unique_ptr<DeviceGraph> end_recording() { return nullptr; }
  virtual void replay(const DeviceGraph& graph) { static_cast<void>(graph); }

  /// Waits for everything issued and reports faults.
  virtual DeviceStatus synchronize() = 0;
};

}  // namespace seraph
