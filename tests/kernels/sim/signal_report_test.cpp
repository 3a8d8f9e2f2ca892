// Memory that is not mapped: the process ends, and says which thread did it.
#include "tests/kernels/sim/support.h"

namespace seraph::sim_test {
namespace {

__global__ void write_raw(Global<float> x) {
  if (threadIdx.x == 33 && blockIdx.x == 1) x.raw()[4096] = 1.0F;
}

TEST(SignalReportDeathTest, a_raw_pointer_past_the_guard_names_the_thread) {
  sim::Device device;
  DeviceArray<float> x(16);
  EXPECT_DEATH(run(write_raw, kTwoWarps, x.all()),
               "kernel tiny, block \\(1,0,0\\), thread \\(33,0,0\\): touches unmapped");
}

__global__ void deep_stack(Global<float> x) {
  volatile char locals[400 * 1024];
  for (int i = sizeof(locals) - 1; i >= 0; i -= 4096) locals[i] = 1;  // downwards, as a stack grows
  locals[0] = 1;
  if (threadIdx.x == 0 && blockIdx.x == 0) x[0] = static_cast<float>(locals[0]);
}

TEST(SignalReportDeathTest, locals_larger_than_the_stack_name_the_thread) {
  sim::Device device;
  DeviceArray<float> x(16);
  EXPECT_DEATH(run(deep_stack, kTwoWarps, x.all()), "kernel tiny, block .* locals larger than a fiber's stack");
}

}  // namespace
}  // namespace seraph::sim_test
