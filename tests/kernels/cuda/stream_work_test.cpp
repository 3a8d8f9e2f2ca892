#include "kernels/cuda/stream_work.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/kernels/cuda/device.h"

namespace seraph::cuda {
namespace {

TEST(StreamWork, GivesZeroedMemoryAndTakesItBack) {
  cuda_test::TestDevice device;
  {
    StreamWork work;
    ASSERT_TRUE(work.open());
    Buffer buffer = work.allocate(100);
    std::vector<char> bytes(100, 'x');
    work.copy(bytes.data(), buffer.data(), 100, CopyKind::kDeviceToHost);
    work.wait();
    EXPECT_EQ(bytes, std::vector<char>(100, 0));
    EXPECT_TRUE(work.reserve(buffer, 50));
    EXPECT_EQ(buffer.bytes(), 100);
    EXPECT_TRUE(work.reserve(buffer, 200));
    EXPECT_EQ(buffer.bytes(), 200);
    EXPECT_EQ(work.allocate(int64_t{1} << 50).data(), nullptr);
    EXPECT_TRUE(work.status().ok);
  }
  EXPECT_EQ(device.num_living(), 0);
}

#ifdef SERAPH_CUDA_SIM
TEST(StreamWork, TheFirstFaultStaysAndEndsAllWork) {
  cuda_test::TestDevice device;
  StreamWork work;
  ASSERT_TRUE(work.open());
  device.fail_at_call(2, kErrorIllegalAddress);
  Buffer buffer = work.allocate(64);
  EXPECT_TRUE(work.failed());
  EXPECT_NE(work.fault().find("illegal memory access"), std::string::npos);
  const int64_t calls = device.num_calls();
  work.fill_zero(buffer.data(), 64);
  work.wait();
  EXPECT_EQ(work.allocate(64).data(), nullptr);
  EXPECT_EQ(device.num_calls(), calls);
  EXPECT_FALSE(work.status().ok);
}
#endif

}  // namespace
}  // namespace seraph::cuda
