#include "engine/sample/token_counts.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace seraph {
namespace {

TEST(TokenCounts, CountsDistinctIdsAndRemembersThePrompt) {
  TokenCounts counts;
  const std::vector<int32_t> prompt = {5, 9, 5};
  counts.add_prompt(prompt);
  counts.add_output(9);
  counts.add_output(7);
  counts.add_output(7);
  ASSERT_EQ(counts.counts().size(), 3U);
  EXPECT_EQ(counts.counts()[0].id, 5);
  EXPECT_TRUE(counts.counts()[0].in_prompt);
  EXPECT_EQ(counts.counts()[0].in_output, 0);
  EXPECT_EQ(counts.counts()[1].in_output, 1);
  EXPECT_FALSE(counts.counts()[2].in_prompt);
  EXPECT_EQ(counts.counts()[2].in_output, 2);
  counts.clear();
  EXPECT_TRUE(counts.counts().empty());
  counts.add_output(5);
  EXPECT_FALSE(counts.counts()[0].in_prompt);
}

TEST(TokenCounts, AgreesWithAMap) {
  std::mt19937 random(3);
  TokenCounts counts;
  std::map<int32_t, int32_t> truth;
  for (int i = 0; i < 20000; ++i) {
    const auto id = static_cast<int32_t>(random() % 5000);
    counts.add_output(id);
    ++truth[id];
  }
  ASSERT_EQ(counts.counts().size(), truth.size());
  for (const TokenCount& count : counts.counts()) EXPECT_EQ(count.in_output, truth[count.id]);
}

}  // namespace
}  // namespace seraph
