#include "engine/schedule/block_key.h"

#include <gtest/gtest.h>

#include <set>

namespace seraph {
namespace {

// Key 00 01 .. 0f, messages 00 01 .. of 0, 8 and 16 bytes: the vectors published with SipHash-2-4-128.
TEST(BlockKey, SipHashAgreesWithThePublishedVectors) {
  const std::array<uint64_t, 2> secret = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
  const std::vector<uint64_t> words = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
  EXPECT_EQ(siphash128(secret, {}), (BlockKey{0xe6a825ba047f81a3ULL, 0x930255c71472f66dULL}));
  EXPECT_EQ(siphash128(secret, std::span(words).first(1)), (BlockKey{0x61f55862baa9623bULL, 0xb49714f364e2830fULL}));
  EXPECT_EQ(siphash128(secret, words), (BlockKey{0xbb54b067caa4e26eULL, 0x77052385bf1533fdULL}));
}

TEST(BlockKey, DependsOnParentTokensSaltPromptLengthAndSecret) {
  const BlockHasher hasher({1, 2});
  const std::vector<TokenId> tokens = {1, 2, 3, 4};
  const std::array<uint8_t, 16> no_salt = {};
  std::array<uint8_t, 16> salt = {};
  salt[9] = 1;
  std::set<std::pair<uint64_t, uint64_t>> seen;
  const auto add = [&seen](const BlockKey& key) { return seen.emplace(key.low, key.high).second; };
  const BlockKey root = hasher.root(no_salt, 0);
  EXPECT_TRUE(add(root));
  EXPECT_TRUE(add(hasher.root(salt, 0)));
  EXPECT_TRUE(add(hasher.root(no_salt, 1)));
  EXPECT_TRUE(add(hasher.block(root, tokens)));
  EXPECT_TRUE(add(hasher.block(hasher.root(salt, 0), tokens)));
  EXPECT_TRUE(add(hasher.block(root, std::vector<TokenId>{1, 2, 3, 5})));
  EXPECT_TRUE(add(hasher.block(root, std::vector<TokenId>{2, 1, 3, 4})));
  EXPECT_TRUE(add(hasher.block(hasher.block(root, tokens), tokens)));
  EXPECT_TRUE(add(BlockHasher({1, 3}).root(no_salt, 0)));
  EXPECT_FALSE(add(hasher.block(root, tokens)));
}

TEST(BlockKey, SecretsDiffer) { EXPECT_NE(BlockHasher::random_secret(), BlockHasher::random_secret()); }

}  // namespace
}  // namespace seraph
