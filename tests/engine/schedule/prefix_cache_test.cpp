#include "engine/schedule/prefix_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace seraph {
namespace {

TEST(PrefixCache, FindsWhatWasInsertedAndNothingElse) {
  PrefixCache cache(4);
  EXPECT_TRUE(cache.insert({1, 2}, 3));
  EXPECT_EQ(cache.find({1, 2}), 3);
  EXPECT_EQ(cache.find({1, 3}), -1);
  EXPECT_FALSE(cache.insert({1, 2}, 0));
  cache.erase(3);
  EXPECT_EQ(cache.find({1, 2}), -1);
  EXPECT_EQ(cache.size(), 0);
}

TEST(PrefixCache, AgreesWithAMapUnderCollisionsAndErasures) {
  std::mt19937 random(9);
  constexpr int32_t kBlocks = 64;
  PrefixCache cache(kBlocks);
  std::map<uint64_t, int32_t> truth;
  std::vector<uint64_t> key_of_block(kBlocks);
  for (int i = 0; i < 50000; ++i) {
    const auto block = static_cast<int32_t>(random() % kBlocks);
    if (cache.has_key(block)) {
      cache.erase(block);
      truth.erase(key_of_block[static_cast<size_t>(block)]);
    } else {
      // Few distinct homes, so that probes run into each other and wrap around.
      const uint64_t high = random() % 200;
      const BlockKey key{high % 7 + 120, high};
      const bool fresh = !truth.contains(high);
      ASSERT_EQ(cache.insert(key, block), fresh);
      if (fresh) {
        truth[high] = block;
        key_of_block[static_cast<size_t>(block)] = high;
      }
    }
    const uint64_t probe = random() % 200;
    const auto found = truth.find(probe);
    ASSERT_EQ(cache.find({probe % 7 + 120, probe}), found == truth.end() ? -1 : found->second);
    ASSERT_EQ(cache.size(), static_cast<int32_t>(truth.size()));
  }
}

}  // namespace
}  // namespace seraph
