// swap_kv_blocks on the simulator: blocks leave for pinned memory and come back, in order with the stream's work.
#include "kernels/cuda/swap_kv_blocks.h"

#include "kernels/cuda/copy_kv_blocks.h"
#include "tests/kernels/cuda/device_tensor.h"

namespace seraph::cuda_test {
namespace {

constexpr int64_t kBlockBytes = 96;

std::vector<char> pattern(int64_t blocks) {
  std::vector<char> bytes(static_cast<size_t>(blocks * kBlockBytes));
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 37 + i / 251);
  return bytes;
}
std::vector<char> block_of(const std::vector<char>& bytes, int64_t block) {
  return {bytes.begin() + block * kBlockBytes, bytes.begin() + (block + 1) * kBlockBytes};
}

TEST(SwapKvBlocks, blocks_go_out_and_come_back_elsewhere) {
  TestDevice device({.seed = 6});
  const std::vector<char> before = pattern(8);
  const DeviceArray<char> cache(before);
  void* host = nullptr;
  ASSERT_TRUE(cuda::allocate_pinned(&host, 4 * kBlockBytes).ok());
  const std::vector<int32_t> out = {2, 3, 7};
  const std::vector<int32_t> pool = {0, 1, 3};
  const std::vector<int32_t> back = {5, 0, 6};
  cuda::SwapKvBlocksLaunch args = {.storage = cache.data(),
                                   .num_blocks = 8,
                                   .host = host,
                                   .num_host_blocks = 4,
                                   .block_bytes = kBlockBytes,
                                   .device_blocks = out,
                                   .host_blocks = pool};
  ASSERT_TRUE(cuda::swap_kv_blocks(args, nullptr).ok());
  // What the stream does next may use the blocks that left.
  ASSERT_TRUE(cuda::fill_async(cache.data() + 2 * kBlockBytes, 0, 2 * kBlockBytes, nullptr).ok());
  args.device_blocks = back;
  args.to_host = false;
  EXPECT_EQ(finish(cuda::swap_kv_blocks(args, nullptr)), "");
  const std::vector<char> after = cache.values();
  for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(block_of(after, back[i]), block_of(before, out[i]));
  EXPECT_EQ(block_of(after, 1), block_of(before, 1));
  EXPECT_EQ(after[static_cast<size_t>(2 * kBlockBytes)], 0);
  ASSERT_TRUE(cuda::release_pinned(host).ok());
}

TEST(SwapKvBlocks, blocks_that_do_not_exist_are_refused) {
  TestDevice device;
  const std::vector<int32_t> one = {8};
  const std::vector<int32_t> zero = {0};
  cuda::SwapKvBlocksLaunch args = {
      .num_blocks = 8, .num_host_blocks = 4, .block_bytes = kBlockBytes, .device_blocks = one, .host_blocks = zero};
  EXPECT_EQ(cuda::swap_kv_blocks(args, nullptr).code, cuda::kErrorInvalidValue);
  args.device_blocks = zero;
  args.host_blocks = one;
  EXPECT_EQ(cuda::swap_kv_blocks(args, nullptr).code, cuda::kErrorInvalidValue);
  args.host_blocks = {};
  EXPECT_EQ(cuda::swap_kv_blocks(args, nullptr).code, cuda::kErrorInvalidValue);
}

}  // namespace
}  // namespace seraph::cuda_test
