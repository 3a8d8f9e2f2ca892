// Device memory: limits, poison, and what is said about addresses outside.
#include "kernels/sim/heap.h"

#include <gtest/gtest.h>

namespace seraph::sim {
namespace {

TEST(Heap, counts_what_lives_and_never_gives_an_address_out_twice) {
  Heap heap(1000);
  void* first = heap.allocate(600, false);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 4096, 0U);
  EXPECT_EQ(static_cast<unsigned char*>(first)[599], 0xCB);
  EXPECT_EQ(heap.allocate(401, false), nullptr);
  EXPECT_NE(heap.allocate(401, true), nullptr);  // pinned memory is the host's
  EXPECT_EQ(heap.bytes_used(), 600);
  EXPECT_EQ(heap.num_living(), 2);
  EXPECT_FALSE(heap.release(first, true));
  EXPECT_TRUE(heap.release(first, false));
  EXPECT_FALSE(heap.release(first, false));
  EXPECT_EQ(heap.bytes_used(), 0);
  EXPECT_NE(heap.allocate(600, false), first);
}

TEST(Heap, says_what_is_wrong_with_an_address) {
  Heap heap(1000);
  const auto begin = reinterpret_cast<uintptr_t>(heap.allocate(100, false));
  EXPECT_EQ(heap.describe_breach(begin + 96, 4), "");
  EXPECT_EQ(heap.describe_breach(begin + 97, 4), "past the end of allocation 1 of 100 bytes");
  EXPECT_EQ(heap.describe_breach(begin + 100, 1), "which is no device memory");
  EXPECT_EQ(heap.describe_breach(begin - 1, 1), "which is no device memory");
  EXPECT_TRUE(heap.release(reinterpret_cast<void*>(begin), false));
  EXPECT_EQ(heap.describe_breach(begin, 1), "which was freed (allocation 1)");
}

}  // namespace
}  // namespace seraph::sim
