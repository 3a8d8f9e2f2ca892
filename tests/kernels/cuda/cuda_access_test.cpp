#include "kernels/cuda_access.h"

#include <gtest/gtest.h>

#include "kernels/cuda/runtime.h"
#include "tests/kernels/cuda/device.h"

namespace seraph {
namespace {

TEST(CudaAccess, NamesTheDevice) {
  cuda_test::TestDevice device;
  const CudaDevices found = cuda_access()->find_devices();
  EXPECT_EQ(found.count, 1);
  EXPECT_TRUE(found.simulated);
  std::string error;
  const auto backend = cuda_access()->make_backend({}, error);
  ASSERT_NE(backend, nullptr) << error;
  EXPECT_EQ(backend->name(), "cuda (seraph simulator, sm_90)");
}

TEST(CudaAccess, SaysWhyNot) {
  cuda_test::TestDevice device;
  std::string error;
  EXPECT_EQ(cuda_access()->make_backend({.device = 3}, error), nullptr);
  EXPECT_NE(error.find("CUDA device 3"), std::string::npos);
  // Whichever call fails, there is a sentence and nothing is left behind.
  bool made = false;
  for (int64_t n = 1; !made; ++n) {
    device.fail_at_call(n, cuda::kErrorOutOfMemory);
    error.clear();
    made = cuda_access()->make_backend({}, error) != nullptr;
    EXPECT_NE(made, !error.empty());
    ASSERT_LT(n, 100);
  }
  EXPECT_EQ(device.num_living(), 0);
}

}  // namespace
}  // namespace seraph
