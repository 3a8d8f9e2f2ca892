// What the simulator finds wrong with accesses to memory: for each kind of defect a tiny kernel that has it must be
// named with kernel, block and thread; beside it stands the corrected kernel where the difference is subtle.
#include "tests/kernels/sim/support.h"

namespace seraph::sim_test {
namespace {

__global__ void past_the_accessor(Global<float> x) { x[threadIdx.x + (blockIdx.x == 1 ? 1 : 0)] = 1.0F; }

TEST(MemoryDefects, an_access_past_the_accessor_is_out_of_bounds) {
  sim::Device device;
  DeviceArray<float> x(1024);
  const std::string report = run(past_the_accessor, kTwoWarps, Global<float>(x.data(), 64));
  expect_report(report, {"kernel tiny, block (1,0,0), thread (63,0,0)", "out of bounds: writes 4 bytes of global",
                         "at byte 256 of 256", "block_memory_test.cpp:"});
}

__global__ void write_first(Global<float> x) {
  if (threadIdx.x == 0 && blockIdx.x == 0) x[0] = 1.0F;
}

TEST(MemoryDefects, an_access_past_the_allocation_is_out_of_bounds_whatever_the_accessor_says) {
  sim::Device device;
  DeviceArray<float> x(16);
  const std::string report = run(write_first, kTwoWarps, Global<float>(x.data() + 16, 64));
  expect_report(report, {"out of bounds", "no device memory"});
  sim::Device other;
  DeviceArray<char> y(6);
  expect_report(run(write_first, kTwoWarps, Global<float>(reinterpret_cast<float*>(y.data() + 4), 1)),
                {"out of bounds", "past the end of allocation 1 of 6 bytes"});
}

TEST(MemoryDefects, use_after_free_is_out_of_bounds) {
  sim::Device device;
  float* data = nullptr;
  {
    DeviceArray<float> x(16);
    data = x.data();
  }
  expect_report(run(write_first, kTwoWarps, Global<float>(data, 16)), {"out of bounds", "was freed"});
}

TEST(MemoryDefects, host_memory_is_out_of_bounds) {
  sim::Device device;
  float host[4] = {};
  expect_report(run(write_first, kTwoWarps, Global<float>(host, 4)), {"out of bounds", "no device memory"});
}

__global__ void past_shared(Global<float> out) {
  SERAPH_SHARED(float, tile, 64);
  tile[threadIdx.x] = 0.0F;
  sync_threads();
  const float next = tile[threadIdx.x + 1];
  if (blockIdx.x == 0) out[threadIdx.x] = next;
}

TEST(MemoryDefects, shared_memory_has_bounds) {
  sim::Device device;
  DeviceArray<float> out(64);
  const std::string report = run(past_shared, kTwoWarps, out.all());
  expect_report(report, {"thread (63,0,0)", "out of bounds: reads 4 bytes of shared memory at byte 256 of 256"});
}

__global__ void misaligned_load(Global<const float> x, Global<float> out) {
  const Vec<float, 4> v = load<4>(x, threadIdx.x * 4 + 1);
  if (blockIdx.x == 0) out[threadIdx.x] = v[0];
}

TEST(MemoryDefects, a_misaligned_vector_access_is_reported) {
  sim::Device device;
  DeviceArray<float> x(std::vector<float>(1024, 1.0F));
  DeviceArray<float> out(64);
  expect_report(run(misaligned_load, kTwoWarps, x.constant(), out.all()), {"misaligned: reads 16 bytes of global"});
}

__global__ void read_one(Global<const float> x, Global<float> out) {
  const float v = x[threadIdx.x];
  if (blockIdx.x == 0) out[threadIdx.x] = v;
}

TEST(MemoryDefects, reading_global_memory_that_nothing_wrote_is_reported) {
  sim::Device device;
  DeviceArray<float> x(64);
  DeviceArray<float> out(64);
  ASSERT_TRUE(fill_async(x.data(), 0, 63 * 4 + 3, nullptr).ok());
  expect_report(run(read_one, kTwoWarps, x.constant(), out.all()), {"thread (63,0,0)", "uninitialised", "at byte 255"});
}

__global__ void read_shared_unwritten(Global<float> out) {
  SERAPH_SHARED(float, tile, 64);
  if (threadIdx.x != 7) tile[threadIdx.x] = 0.0F;
  sync_threads();
  const float v = tile[threadIdx.x];
  if (blockIdx.x == 0) out[threadIdx.x] = v;
}

TEST(MemoryDefects, reading_shared_memory_that_nothing_wrote_is_reported) {
  sim::Device device;
  DeviceArray<float> out(64);
  expect_report(run(read_shared_unwritten, kTwoWarps, out.all()), {"thread (7,0,0)", "uninitialised"});
}

__global__ void unwritten_fragment() {
  Fragment<float, 4> acc;
  Fragment<uint32_t, 4> a;
  Fragment<uint32_t, 2> b;
  acc.fill(0.0F);
  b.fill(0);
  for (int i = 0; i < 3; ++i) a[i] = 0;
  mma<half_t>(acc, a, b);
}

TEST(MemoryDefects, multiplying_a_register_that_nothing_loaded_is_reported) {
  sim::Device device;
  expect_report(run(unwritten_fragment, kTwoWarps), {"mma (A) reads register 3 of a fragment that nothing wrote"});
}

template <bool kSynchronised>
__global__ void shift(Global<float> out) {
  SERAPH_SHARED(float, tile, 64);
  tile[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (kSynchronised) sync_threads();
  const float v = tile[(threadIdx.x + 1) % 64];
  if (blockIdx.x == 0) out[threadIdx.x] = v;
}

TEST(MemoryDefects, a_read_of_another_threads_write_without_a_barrier_is_a_race) {
  // Whether the value is there yet depends on the order of lanes; either way it is an error.
  for (uint64_t seed = 0; seed < 6; ++seed) {
    sim::Device device({.seed = seed});
    DeviceArray<float> out(64);
    const std::string report = run(shift<false>, kTwoWarps, out.all());
    EXPECT_TRUE(report.find("race") != std::string::npos || report.find("uninitialised") != std::string::npos)
        << report;
  }
  sim::Device device;
  DeviceArray<float> out(64);
  EXPECT_EQ(run(shift<true>, kTwoWarps, out.all()), "");
}

template <bool kSynchronised>
__global__ void overwrite_after_read(Global<float> out) {
  SERAPH_SHARED(float, tile, 64);
  tile[threadIdx.x] = 1.0F;
  sync_threads();
  const float v = tile[63 - threadIdx.x];
  if (kSynchronised) sync_threads();
  tile[threadIdx.x] = 2.0F;
  if (blockIdx.x == 0) out[threadIdx.x] = v;
}

TEST(MemoryDefects, a_write_over_what_another_thread_reads_is_a_race) {
  sim::Device device;
  DeviceArray<float> out(64);
  expect_report(run(overwrite_after_read<false>, kTwoWarps, out.all()), {"race", "shared", "no barrier between"});
  sim::Device other;
  DeviceArray<float> good(64);
  EXPECT_EQ(run(overwrite_after_read<true>, kTwoWarps, good.all()), "");
}

template <bool kSynchronised>
__global__ void exchange_in_warp(Global<float> out) {
  SERAPH_SHARED(half_t, tile, 64);
  tile[threadIdx.x] = from_float<half_t>(static_cast<float>(threadIdx.x));  // halves of one word are no race
  if (kSynchronised) sync_warp();
  const half_t v = tile[threadIdx.x ^ 3U];
  if (blockIdx.x == 0) out[threadIdx.x] = to_float(v);
}

TEST(MemoryDefects, within_a_warp_sync_warp_is_enough_and_needed) {
  sim::Device device;
  DeviceArray<float> out(64);
  const std::string report = run(exchange_in_warp<false>, kTwoWarps, out.all());
  EXPECT_TRUE(report.find("race") != std::string::npos || report.find("uninitialised") != std::string::npos) << report;
  sim::Device other;
  DeviceArray<float> good(64);
  EXPECT_EQ(run(exchange_in_warp<true>, kTwoWarps, good.all()), "");
  EXPECT_EQ(good.values()[5], 6.0F);
}

__global__ void all_blocks_write(Global<float> out) {
  if (threadIdx.x == 0) out[0] = 1.0F;
}

TEST(MemoryDefects, two_blocks_that_write_one_place_race) {
  sim::Device device;
  DeviceArray<float> out(64);
  expect_report(run(all_blocks_write, kTwoWarps, out.all()), {"race: writes 4 bytes of global", "of block number"});
}

/// Each block leaves its part; the one that comes last adds them up.
template <bool kFenced>
__global__ void last_block_sums(Global<float> parts, Global<uint32_t> counter, Global<float> out) {
  SERAPH_SHARED(uint32_t, order, 1);
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = static_cast<float>(blockIdx.x + 1);
    if (kFenced) thread_fence();
    order[0] = atomic_add(counter, 0, 1U);
  }
  sync_threads();
  const uint32_t arrived = order[0];
  if (arrived != gridDim.x - 1 || threadIdx.x != 0) return;
  float sum = 0.0F;
  for (uint32_t i = 0; i < gridDim.x; ++i) sum += parts[i];
  out[0] = sum;
}

TEST(MemoryDefects, a_fence_and_an_atomic_operation_order_two_blocks) {
  sim::Device device;
  DeviceArray<float> parts(2);
  DeviceArray<float> out(1);
  DeviceArray<uint32_t> counter(std::vector<uint32_t>{0});
  EXPECT_EQ(run(last_block_sums<true>, kTwoWarps, parts.all(), counter.all(), out.all()), "");
  EXPECT_EQ(out.values()[0], 3.0F);
  sim::Device other;
  DeviceArray<float> bad_parts(2);
  DeviceArray<float> bad_out(1);
  DeviceArray<uint32_t> bad_counter(std::vector<uint32_t>{0});
  expect_report(run(last_block_sums<false>, kTwoWarps, bad_parts.all(), bad_counter.all(), bad_out.all()), {"race"});
}

template <bool kWaited>
__global__ void read_async(Global<const float> x, Global<float> out) {
  SERAPH_SHARED(float, tile, 256);
  copy_async<16>(tile, threadIdx.x * 4, x, threadIdx.x * 4);
  commit_async();
  if (kWaited) wait_async<0>();
  sync_threads();
  const float v = tile[255 - threadIdx.x];
  if (blockIdx.x == 0) out[threadIdx.x] = v;
}

TEST(MemoryDefects, an_asynchronous_copy_must_be_waited_for) {
  sim::Device device;
  DeviceArray<float> x(std::vector<float>(256, 3.0F));
  DeviceArray<float> out(64);
  EXPECT_EQ(run(read_async<true>, kTwoWarps, x.constant(), out.all()), "");
  EXPECT_EQ(out.values()[0], 3.0F);
  expect_report(run(read_async<false>, kTwoWarps, x.constant(), out.all()), {"uninitialised: reads 4 bytes of shared"});
}

__global__ void column_access(Global<float> out) {
  SERAPH_SHARED(float, tile, 32 * 32);
  tile[threadIdx.x * 32] = 1.0F;
  sync_threads();
  const float v = tile[threadIdx.x * 32];
  out[threadIdx.x * 8] = v;
}

TEST(MemoryDefects, bank_conflicts_and_uncoalesced_accesses_over_budget_fail) {
  constexpr LaunchConfig kOneWarp = {.name = "columns", .block = {32}};
  LaunchConfig lenient = kOneWarp;
  lenient.budget = {.bank_conflicts_max = 62, .sectors_ratio_max = 8.0F};
  sim::Device device;
  DeviceArray<float> out(256);
  EXPECT_EQ(run(column_access, lenient, out.all()), "");
  EXPECT_EQ(device.last_launch().bank_conflicts, 62);  // 31 each for the write and the read
  EXPECT_EQ(device.last_launch().sectors_written, 32);
  EXPECT_EQ(device.last_launch().sectors_min, 4);
  LaunchConfig no_conflicts = lenient;
  no_conflicts.budget.bank_conflicts_max = 61;
  expect_report(run(column_access, no_conflicts, out.all()),
                {"kernel columns", "62 bank conflicts, at most 61", "block_memory_test.cpp:"});
  sim::Device other;
  DeviceArray<float> same(256);
  LaunchConfig coalesced = lenient;
  coalesced.budget.sectors_ratio_max = 1.25F;
  expect_report(run(column_access, coalesced, same.all()), {"uncoalesced: 32 sectors for 4 needed"});
}

}  // namespace
}  // namespace seraph::sim_test
