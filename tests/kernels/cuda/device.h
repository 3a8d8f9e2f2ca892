// The device of one test: on the simulator a fresh one, so that a defect in one case leaves the next alone and leaks
// show; on a GPU the process's own, which takes no options and counts nothing. Tests of counts and of injected failures
// are the simulator's alone.
#pragma once

#include <gtest/gtest.h>

#include "kernels/cuda/runtime.h"

#ifdef SERAPH_CUDA_SIM
#include "kernels/sim/device.h"
#endif

namespace seraph::cuda_test {

#ifdef SERAPH_CUDA_SIM
using TestDevice = sim::Device;

/// "" or what is wrong with the device, after everything queued has run.
inline std::string device_fault() {
  static_cast<void>(cuda::synchronize_device().ok());
  return sim::Device::current().fault();
}
#else
struct TestDeviceOptions {
  uint64_t seed = 0;
  int64_t memory_bytes = 0;
  bool count_accesses = false;
};

inline std::string device_fault() {
  const cuda::Status done = cuda::synchronize_device();
  return done.ok() ? "" : cuda::describe(done);
}

class TestDevice {
 public:
  explicit TestDevice(const TestDeviceOptions& /*options*/ = {}) {}
  std::string fault() const { return device_fault(); }
  int64_t num_living() const { return 0; }
};
#endif

}  // namespace seraph::cuda_test
