// The Backend on an NVIDIA GPU, or on the simulated one, or none: which of them is decided when the program is linked.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.h"

namespace seraph {

struct CudaBackendOptions {
  int32_t device = 0;  // among those that CUDA_VISIBLE_DEVICES leaves
};

/// What this program can reach. `count` 0: `reason` is one sentence that says why.
struct CudaDevices {
  int32_t count = 0;
  bool simulated = false;
  std::string reason = {};
};

struct CudaAccess {
  CudaDevices (*find_devices)() = nullptr;
  /// Errors: null and a sentence in `error` when there is no such device or it cannot be used.
  std::unique_ptr<Backend> (*make_backend)(const CudaBackendOptions& options, std::string& error) = nullptr;
};
/// Null: this program was built without CUDA.
const CudaAccess* cuda_access();

}  // namespace seraph
