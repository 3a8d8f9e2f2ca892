// What the simulator finds wrong with barriers, warp functions and launches, each shown by a tiny defective kernel.
#include "tests/kernels/sim/support.h"

namespace seraph::sim_test {
namespace {

__global__ void barrier_for_some() {
  if (threadIdx.x != 40) sync_threads();
}

__global__ void barriers_at_two_places() {
  if (threadIdx.x < 32) {
    sync_threads();
  } else {
    sync_threads();
  }
}

TEST(ControlDefects, a_barrier_that_some_threads_never_reach_is_divergent) {
  sim::Device device;
  expect_report(run(barrier_for_some, kTwoWarps),
                {"kernel tiny, block (", "divergent barrier", "thread (40,0,0) has ended"});
  sim::Device other;
  expect_report(run(barriers_at_two_places, kTwoWarps), {"divergent barrier", "other threads wait at"});
}

__global__ void shuffle_for_some(Global<int32_t> out) {
  int32_t v = 0;
  if (threadIdx.x % 32 < 31) v = shuffle_xor(1, 1);
  out[blockIdx.x * 64 + threadIdx.x] = v;
}

__global__ void shuffle_from_outside(Global<int32_t> out) {
  int32_t v = 0;
  if (threadIdx.x % 32 < 16) v = shuffle(1, 20, 0xFFFFU);
  out[blockIdx.x * 64 + threadIdx.x] = v;
}

__global__ void two_kinds_at_once() {
  if (threadIdx.x % 2 == 0) {
    shuffle_xor(1, 1);
  } else {
    sync_warp();
  }
}

TEST(ControlDefects, warp_functions_with_missing_lanes_are_divergent) {
  sim::Device device;
  DeviceArray<int32_t> out(128);
  expect_report(run(shuffle_for_some, kTwoWarps, out.all()),
                {"divergent warp", "shuffle", "thread (31,0,0) has ended"});
  sim::Device second;
  DeviceArray<int32_t> other(128);
  expect_report(run(shuffle_from_outside, kTwoWarps, other.all()), {"shuffle reads lane 20"});
  sim::Device third;
  expect_report(run(two_kinds_at_once, kTwoWarps), {"divergent warp", "sync_warp", "shuffle"});
}

__global__ void spin(Global<uint32_t> flag) {
  while (load_acquire(flag, 0) == 0) pause();
}

TEST(ControlDefects, waiting_for_a_block_that_cannot_come_is_reported) {
  sim::Device device;
  DeviceArray<uint32_t> flag(std::vector<uint32_t>{0});
  LaunchConfig one_thread = kTwoWarps;
  one_thread.block = {1};
  expect_report(run(spin, one_thread, flag.all()), {"waits for another block"});
}

__global__ void too_much_dynamic(Global<float> out) {
  const Shared<float> tile = dynamic_shared<float>(0, 33);
  tile[threadIdx.x] = 0.0F;
  if (threadIdx.x == 0 && blockIdx.x == 0) out[0] = 0.0F;
}

TEST(ControlDefects, dynamic_shared_memory_is_what_the_launch_gave) {
  sim::Device device;
  DeviceArray<float> out(1);
  LaunchConfig config = kTwoWarps;
  config.shared_bytes = 128;
  expect_report(run(too_much_dynamic, config, out.all()), {"132 bytes of dynamic shared memory, the launch has 128"});
}

TEST(ControlDefects, an_error_is_sticky) {
  sim::Device device;
  EXPECT_NE(run(barrier_for_some, kTwoWarps), "");
  void* data = nullptr;
  const Status status = allocate(&data, 16);
  EXPECT_EQ(status.code, kErrorLaunchFailure);
  EXPECT_TRUE(is_sticky(status.code));
  expect_report(describe(status), {"cudaMalloc", "divergent barrier", "error 719"});
}

template <int kFloats>
__global__ void large_static() {
  SERAPH_SHARED(float, first, kFloats);
  SERAPH_SHARED(float, second, 16);
  first[threadIdx.x] = 0.0F;
  if (threadIdx.x < 16) second[threadIdx.x] = 0.0F;
}

TEST(ControlDefects, shared_memory_has_the_limits_of_the_generation) {
  sim::Device device({.sm_version = 86});
  LaunchConfig config = kTwoWarps;
  config.shared_bytes = 51 * 1024 - 64;
  EXPECT_EQ(run(large_static<12 * 1024 - 16>, config), "");
  EXPECT_EQ(device.last_launch().shared_bytes, 99 * 1024 - 64);
  config.shared_bytes = 51 * 1024 + 16;
  expect_report(run(large_static<12 * 1024 - 16>, config), {"needs more than the 101376 bytes of shared memory"});
  sim::Device other;
  config.shared_bytes = 0;
  expect_report(run(large_static<12 * 1024>, config), {"more than 49152 bytes of static shared memory"});
  config.shared_bytes = 100 * 1024;
  sim::Device small({.sm_version = 89});
  EXPECT_EQ(launch(large_static<16>, config).code, kErrorInvalidValue);
}

}  // namespace
}  // namespace seraph::sim_test
