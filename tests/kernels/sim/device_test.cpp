// What a device counts, and that its options do what they say. Streams and graphs are in runtime_test.cpp.
#include "tests/kernels/sim/support.h"

namespace seraph::sim_test {
namespace {

__global__ void copy_words(Global<const uint32_t> x, Global<uint32_t> out) {
  const Vec<uint32_t, 4> v = load<4>(x, threadIdx.x * 4);
  store(out, (blockIdx.x * 32 + threadIdx.x) * 4, v);
}

TEST(Device, counts_distinct_bytes_and_all_sectors) {
  sim::Device device;
  DeviceArray<uint32_t> x(std::vector<uint32_t>(128, 7));
  DeviceArray<uint32_t> out(256);
  const LaunchConfig config = {.name = "copy_words", .grid = {2}, .block = {32}};
  ASSERT_EQ(run(copy_words, config, x.constant(), out.all()), "");
  const sim::LaunchStats& stats = device.last_launch();
  EXPECT_EQ(stats.global_bytes_read, 512);  // both blocks read the same
  EXPECT_EQ(stats.global_bytes_written, 1024);
  EXPECT_EQ(stats.sectors_read, 32);
  EXPECT_EQ(stats.sectors_written, 32);
  EXPECT_EQ(stats.sectors_min, 64);
  ASSERT_EQ(run(copy_words, config, x.constant(), out.all()), "");
  EXPECT_EQ(device.last_launch().global_bytes_read, 512);
  EXPECT_EQ(device.totals().at("copy_words").global_bytes_read, 1024);
  EXPECT_EQ(device.num_launches(), 2);
}

TEST(Device, says_what_it_was_told_to_be) {
  for (const auto& [version, kib] : {std::pair{75, 64}, {80, 163}, {86, 99}, {89, 99}, {90, 227}}) {
    sim::Device device({.sm_version = version, .num_sms = 3});
    DeviceProperties properties;
    ASSERT_TRUE(device_properties(0, properties).ok());
    EXPECT_EQ(properties.sm_version, version);
    EXPECT_EQ(properties.num_sms, 3);
    EXPECT_EQ(properties.shared_bytes_per_block_max, kib * 1024);
  }
}

TEST(Device, the_latest_one_is_current_until_it_ends) {
  sim::Device outer;
  {
    sim::Device inner;
    EXPECT_EQ(&sim::Device::current(), &inner);
  }
  EXPECT_EQ(&sim::Device::current(), &outer);
}

}  // namespace
}  // namespace seraph::sim_test
