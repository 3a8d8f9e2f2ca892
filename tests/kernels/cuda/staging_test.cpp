#include "kernels/cuda/staging.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/kernels/cuda/device.h"

namespace seraph::cuda {
namespace {

/// The simulator reads a copy's source as late as it may, so memory that is written again too soon would show.
TEST(Staging, CopiesMoreThanItHoldsAndLeavesTheSourceFree) {
  for (const uint64_t seed : {1U, 2U, 3U}) {
    cuda_test::TestDevice device({.seed = seed});
    {
      StreamWork work;
      Staging staging(work);
      ASSERT_TRUE(work.open() && staging.open(48));
      Buffer memory = work.allocate(1000);
      std::vector<uint8_t> bytes(1000);
      std::iota(bytes.begin(), bytes.end(), uint8_t{0});
      const std::vector<uint8_t> expected = bytes;
      staging.copy(memory.data(), bytes.data(), 7);
      staging.copy(static_cast<char*>(memory.data()) + 7, bytes.data() + 7, 993);
      std::fill(bytes.begin(), bytes.end(), uint8_t{0xFF});
      std::vector<uint8_t> after(1000);
      work.copy(after.data(), memory.data(), 1000, CopyKind::kDeviceToHost);
      work.wait();
      EXPECT_EQ(work.fault(), "");
      EXPECT_EQ(after, expected);
    }
    EXPECT_EQ(device.num_living(), 0);
  }
}

#ifdef SERAPH_CUDA_SIM
TEST(Staging, NoMemoryIsNoFault) {
  cuda_test::TestDevice device;
  StreamWork work;
  Staging staging(work);
  ASSERT_TRUE(work.open());
  device.fail_at_call(1, kErrorOutOfMemory);
  EXPECT_FALSE(staging.open(64));
  EXPECT_FALSE(work.failed());
}
#endif

}  // namespace
}  // namespace seraph::cuda
