// The CUDA runtime calls that the backend uses, under our names: for a GPU thin wrappers over cudart, in the simulator
// kernels/sim/runtime.cpp. Every call returns a Status that must be looked at. Called from the thread that owns the
// device. Work on a stream is asynchronous: nothing has happened before a synchronize or a waited event says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace seraph::cuda {

/// A call's outcome: 0, or CUDA's error number with the call that returned it (a literal).
struct [[nodiscard]] Status {
  int32_t code = 0;
  const char* call = "";
  bool ok() const { return code == 0; }
};
/// "cudaMalloc: out of memory (error 2)"; in the simulator also which kernel, block and thread did what.
std::string describe(const Status& status);

constexpr int32_t kErrorInvalidValue = 1;
constexpr int32_t kErrorOutOfMemory = 2;
constexpr int32_t kErrorInvalidHandle = 400;
constexpr int32_t kErrorNotReady = 600;
constexpr int32_t kErrorIllegalAddress = 700;
constexpr int32_t kErrorLaunchFailure = 719;
constexpr int32_t kErrorCaptureUnsupported = 900;
/// An error of the device itself: every later call fails too, only ending the process helps.
bool is_sticky(int32_t code);

struct DeviceProperties {
  std::string name = {};
  int32_t sm_version = 0;  // 75, 80, 86, 89, 90
  int32_t num_sms = 0;
  int32_t shared_bytes_per_block_max = 0;  // with opt-in, dynamic and static together
  int32_t shared_bytes_per_sm = 0;
  int64_t l2_bytes = 0;
  int64_t memory_bytes = 0;
};

enum class CopyKind : uint8_t { kHostToDevice, kDeviceToHost, kDeviceToDevice };

struct Dim3 {
  uint32_t x = 1;
  uint32_t y = 1;
  uint32_t z = 1;
};

}  // namespace seraph::cuda

#if defined(SERAPH_CUDA_SIM)
#include "kernels/sim/runtime.h"
#else
#include "kernels/cuda/runtime_gpu.h"
#endif
