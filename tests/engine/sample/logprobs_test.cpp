#include "engine/sample/logprobs.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(Logprobs, EveryRowGetsRoomForTheChosenAndTheBest) {
  LogprobArena arena;
  std::vector<SampleRow> rows(3);
  rows[1].num_logprobs = 0;
  rows[2].num_logprobs = 4;
  std::vector<SampleResult> results(3);
  for (int repeat = 0; repeat < 2; ++repeat) {
    arena.assign(rows, results);
    EXPECT_EQ(results[0].logprobs.size(), 0U);
    EXPECT_EQ(results[1].logprobs.size(), 1U);
    EXPECT_EQ(results[2].logprobs.size(), 5U);
    EXPECT_EQ(results[1].logprobs.data() + 1, results[2].logprobs.data());
    EXPECT_EQ(results[2].token, -1);
  }
}

TEST(Logprobs, KeepTheBackendsOrderAndCount) {
  std::vector<SampledLogprob> entries = {{9, -1.5F, 2}, {3, -0.5F, 1}, {0, 0.0F, 0}};
  const PositionLogprobs position = to_position_logprobs({.token = 9, .logprobs = entries, .num_logprobs = 2});
  ASSERT_EQ(position.size(), 2U);
  EXPECT_EQ(position[0].id, 9);
  EXPECT_EQ(position[0].rank, 2);
  EXPECT_EQ(position[1].logprob, -0.5F);
}

}  // namespace
}  // namespace seraph
