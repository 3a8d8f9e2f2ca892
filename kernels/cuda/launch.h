// launch(kernel, config, args...): the one way to start a kernel, on a GPU and in the simulator. The config names the
// kernel for reports and states its budget, which the simulator enforces. Arguments are copied at the call (as CUDA
// does), so a captured graph replays with the arguments of its capture.
#pragma once

#include <tuple>
#include <utility>

#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// What one launch may cost. The simulator fails a launch that exceeds it; a GPU ignores it.
struct KernelBudget {
  /// Extra shared memory wavefronts over the whole launch, beyond what each access's width needs.
  int64_t bank_conflicts_max = 0;
  /// 32-byte sectors touched by warp instructions, over the fewest that could hold the same bytes. Rows that do not
  /// begin on a sector cost up to one more per instruction, which the default allows for 16-byte accesses.
  float sectors_ratio_max = 1.25F;
};

struct LaunchConfig {
  const char* name = "";  // a literal: "rms_norm"
  Dim3 grid = {};
  Dim3 block = {};
  int32_t shared_bytes = 0;  // dynamic shared memory
  Stream stream = {};
  KernelBudget budget = {};
};

}  // namespace seraph::cuda

#if defined(SERAPH_CUDA_SIM)
#include "kernels/sim/launch.h"
#else

namespace seraph::cuda {

template <typename... Parameters, typename... Arguments>
Status launch(void (*kernel)(Parameters...), const LaunchConfig& config, Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  const auto* function = reinterpret_cast<const void*>(kernel);
  constexpr int32_t kSharedWithoutOptIn = 48 * 1024;
  if (config.shared_bytes > kSharedWithoutOptIn) {
    const Status status = checked(
        cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize, config.shared_bytes), config.name);
    if (!status.ok()) return status;
  }
  std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
  return std::apply(
      [&](auto&... value) {
        void* pointers[] = {static_cast<void*>(&value)..., nullptr};
        const dim3 grid(config.grid.x, config.grid.y, config.grid.z);
        const dim3 block(config.block.x, config.block.y, config.block.z);
        return checked(
            cudaLaunchKernel(function, grid, block, pointers, static_cast<size_t>(config.shared_bytes), config.stream),
            config.name);
      },
      values);
}

}  // namespace seraph::cuda

#endif
