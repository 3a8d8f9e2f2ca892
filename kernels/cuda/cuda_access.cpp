#include "kernels/cuda_access.h"

#include "kernels/cuda/cuda_backend.h"

namespace seraph {
namespace {

constexpr int32_t kSmVersionMin = 75;
#ifdef SERAPH_CUDA_SIM
constexpr bool kSimulated = true;
#else
constexpr bool kSimulated = false;
#endif

CudaDevices find_cuda_devices() {
  CudaDevices found{.simulated = kSimulated};
  const cuda::Status status = cuda::device_count(found.count);
  if (!status.ok()) {
    found.count = 0;
    found.reason = "no CUDA device can be used: " + cuda::describe(status);
  } else if (found.count == 0) {
    found.reason = "no CUDA device is visible";
  }
  return found;
}

std::unique_ptr<Backend> make_cuda_backend(const CudaBackendOptions& options, std::string& error) {
  const CudaDevices found = find_cuda_devices();
  if (found.count == 0) {
    error = found.reason;
    return nullptr;
  }
  cuda::DeviceProperties properties;
  cuda::Status status = cuda::set_device(options.device);
  if (status.ok()) status = cuda::device_properties(options.device, properties);
  if (!status.ok()) {
    error = "CUDA device " + std::to_string(options.device) + " cannot be used: " + cuda::describe(status);
    return nullptr;
  }
  if (properties.sm_version < kSmVersionMin) {
    error = properties.name + " is of compute capability " + std::to_string(properties.sm_version) +
            ", which is older than this program's kernels (" + std::to_string(kSmVersionMin) + ")";
    return nullptr;
  }
  auto backend = std::make_unique<cuda::CudaBackend>(properties, options);
  if (!backend->open()) {
    const DeviceStatus opened = backend->synchronize();
    error = opened.ok ? "the memory of the device is full" : opened.message;
    return nullptr;
  }
  return backend;
}

}  // namespace

const CudaAccess* cuda_access() {
  static constexpr CudaAccess kAccess = {.find_devices = find_cuda_devices, .make_backend = make_cuda_backend};
  return &kAccess;
}

}  // namespace seraph
