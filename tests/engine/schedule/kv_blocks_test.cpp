#include "engine/schedule/kv_blocks.h"

#include <gtest/gtest.h>

#include <random>

namespace seraph {
namespace {

BlockKey key_of(uint64_t n) { return BlockKey{n * 0x9E3779B97F4A7C15ULL, n}; }

TEST(KvBlocks, GivesEveryBlockOnceAndTakesItBack) {
  KvBlocks blocks(3);
  std::vector<int32_t> chain = {blocks.take(), blocks.take(), blocks.take()};
  EXPECT_NE(chain[0], chain[1]);
  EXPECT_NE(chain[1], chain[2]);
  EXPECT_EQ(blocks.num_available(), 0);
  blocks.release_all(chain);
  EXPECT_TRUE(chain.empty());
  EXPECT_EQ(blocks.num_free(), 3);
  blocks.check_integrity(true);
}

TEST(KvBlocks, KeepsNamedBlocksFindableUntilTheSpaceIsNeeded) {
  KvBlocks blocks(2);
  std::vector<int32_t> chain = {blocks.take(), blocks.take()};
  const int32_t first = chain[0];
  blocks.set_key(chain[0], key_of(1));
  blocks.release_all(chain);
  EXPECT_EQ(blocks.num_cached(), 1);
  EXPECT_EQ(blocks.find(key_of(1)), first);
  chain = {blocks.take()};  // the free one
  EXPECT_EQ(blocks.find(key_of(1)), first);
  chain.push_back(blocks.take());
  EXPECT_EQ(blocks.find(key_of(1)), -1);
  blocks.release_all(chain);
  blocks.check_integrity(true);
}

TEST(KvBlocks, EvictsTheLeastRecentlyReleasedLeafFirst) {
  KvBlocks blocks(4);
  std::vector<int32_t> long_chain = {blocks.take(), blocks.take(), blocks.take()};
  for (uint64_t i = 0; i < 3; ++i) blocks.set_key(long_chain[i], key_of(i));
  std::vector<int32_t> other = {blocks.take()};
  blocks.set_key(other[0], key_of(9));
  blocks.release_all(long_chain);
  blocks.release_all(other);
  std::vector<int32_t> held;
  held.push_back(blocks.take());
  EXPECT_EQ(blocks.find(key_of(2)), -1);
  EXPECT_GE(blocks.find(key_of(1)), 0);
  held.push_back(blocks.take());
  EXPECT_EQ(blocks.find(key_of(1)), -1);
  EXPECT_GE(blocks.find(key_of(0)), 0);
  held.push_back(blocks.take());
  EXPECT_EQ(blocks.find(key_of(0)), -1);
  EXPECT_GE(blocks.find(key_of(9)), 0);
  blocks.release_all(held);
}

TEST(KvBlocks, SharedBlocksStayHeldUntilTheLastHolderLeaves) {
  KvBlocks blocks(2);
  std::vector<int32_t> a = {blocks.take()};
  blocks.set_key(a[0], key_of(1));
  std::vector<int32_t> b = a;
  blocks.share(b[0]);
  blocks.release_all(a);
  EXPECT_EQ(blocks.num_held(), 1);
  blocks.release_all(b);
  EXPECT_EQ(blocks.num_cached(), 1);
  std::vector<int32_t> c = {blocks.find(key_of(1))};
  blocks.share(c[0]);
  EXPECT_EQ(blocks.num_cached(), 0);
  blocks.check_integrity(false);
  blocks.release_all(c);
}

TEST(KvBlocks, AForgottenChainStaysWithItsHoldersAndIsFreeAfterwards) {
  KvBlocks blocks(2);
  std::vector<int32_t> a = {blocks.take(), blocks.take()};
  blocks.set_key(a[0], key_of(1));
  std::vector<int32_t> b = {a[0]};
  blocks.share(b[0]);
  blocks.forget(a);
  EXPECT_EQ(blocks.find(key_of(1)), -1);
  blocks.release_all(a);
  EXPECT_EQ(blocks.num_held(), 1);
  blocks.release_all(b);
  EXPECT_EQ(blocks.num_free(), 2);
  blocks.check_integrity(true);
}

TEST(KvBlocks, TheSecondBlockOfTheSameContentStaysNameless) {
  KvBlocks blocks(2);
  std::vector<int32_t> a = {blocks.take()};
  std::vector<int32_t> b = {blocks.take()};
  blocks.set_key(a[0], key_of(1));
  blocks.set_key(b[0], key_of(1));
  EXPECT_EQ(blocks.find(key_of(1)), a[0]);
  blocks.release_all(b);
  EXPECT_EQ(blocks.num_free(), 1);
  blocks.release_all(a);
}

TEST(KvBlocks, StatesAddUpUnderRandomUse) {
  std::mt19937 random(5);
  KvBlocks blocks(40);
  std::vector<std::vector<int32_t>> chains(8);
  for (int i = 0; i < 20000; ++i) {
    std::vector<int32_t>& chain = chains[random() % chains.size()];
    if (random() % 4 == 0) {
      blocks.release_all(chain);
    } else if (const int32_t block = blocks.find(key_of(random() % 100)); block >= 0 && random() % 2 == 0) {
      blocks.share(block);
      chain.push_back(block);
    } else if (blocks.num_available() > 0) {
      chain.push_back(blocks.take());
      if (random() % 2 == 0) blocks.set_key(chain.back(), key_of(random() % 100));
    }
    if (i % 100 == 0) blocks.check_integrity(false);
  }
  for (std::vector<int32_t>& chain : chains) blocks.release_all(chain);
  blocks.check_integrity(true);
}

TEST(KvBlocksDeathTest, ABlockGivenBackTwiceEndsTheProcess) {
  KvBlocks blocks(2);
  std::vector<int32_t> chain = {blocks.take()};
  std::vector<int32_t> copy = chain;
  blocks.release_all(chain);
  EXPECT_DEATH(blocks.release_all(copy), "given back once");
}

}  // namespace
}  // namespace seraph
