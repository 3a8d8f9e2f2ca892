// Where plans meet the device. The engine's loop launches step plans and collects their results in launch
// order; everything between (batch, model, sampling) is the executor's. An executor that runs asynchronously
// lets several steps be in flight: ids drawn by a step stay on the device and feed the next one, the host
// learns them at collect(). The CPU executor computes inside launch() and allows one. Engine thread only.
#pragma once

#include <cstdint>
#include <span>

#include "engine/schedule/scheduler.h"
#include "kernels/backend.h"

namespace seraph {

struct StepResult {
  /// For each entry of the plan in order: one per row of prompt_logprobs_begin .. end, then the draw if it draws.
  /// Valid until the next launch().
  std::span<const SampleResult> rows;
  /// Of a pooling model, instead of rows: [entries that draw, pooled_width] in order of the plan.
  std::span<const float> pooled = {};
  int32_t pooled_width = 0;
  int64_t device_us = 0;  // time inside kernels
  DeviceStatus status = {};
};

/// keep_kv() of an executor whose cache is one buffer.
inline bool keep_storage(Backend& backend, int64_t bytes, bool keep, Buffer& storage) {
  storage = keep ? backend.allocate(bytes) : Buffer();
  return !keep || storage.data() != nullptr;
}

class StepExecutor {
 public:
  virtual ~StepExecutor() = default;
  virtual int32_t steps_in_flight_max() const = 0;
  /// The plan is borrowed until it was collected. A row whose position is beyond Sequence::tokens has a pending
  /// id: it is what the latest step drew for that sequence slot.
  virtual void launch(const StepPlan& plan) = 0;
  /// Gives the memory of the KV cache back to the system, or takes it again, empty. False: there is not enough.
  /// REQUIRES: no step in flight, and no launch() in between.
  virtual bool keep_kv(bool /*keep*/) { return true; }
  /// Waits for the oldest step in flight.
  virtual StepResult collect() = 0;
};

}  // namespace seraph
