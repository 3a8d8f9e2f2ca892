#include "daemon/api/beam_search.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

using Next = std::vector<PositionLogprobs>;

PositionLogprobs best(std::initializer_list<std::pair<TokenId, float>> entries) {
  PositionLogprobs out;
  for (const auto& [id, logprob] : entries) out.push_back({.id = id, .logprob = logprob});
  return out;
}

TEST(BeamSearch, TheBestPathNeedNotBeginWithTheBestToken) {
  BeamSearch beams({.width = 2, .tokens_max = 2});
  beams.advance(Next{best({{1, -0.5F}, {2, -1.0F}, {3, -9.0F}})});
  ASSERT_EQ(beams.live().size(), 2U);
  beams.advance(Next{best({{4, -5.0F}, {5, -6.0F}}), best({{6, -0.1F}, {7, -7.0F}})});
  ASSERT_TRUE(beams.done());
  const std::vector<Beam> found = beams.take_best();
  EXPECT_EQ(found[0].tokens, (std::vector<TokenId>{2, 6}));
  EXPECT_EQ(found[1].tokens, (std::vector<TokenId>{1, 4}));
  EXPECT_FALSE(found[0].ended);
  EXPECT_EQ(found[0].logprobs[0].front().id, 2) << "the beam's own token comes first";
  EXPECT_EQ(found[0].logprobs[0].size(), 3U);
}

TEST(BeamSearch, TheLengthPenaltyFavoursLongBeams) {
  for (const double penalty : {0.0, 3.0}) {
    BeamSearch beams({.width = 1, .tokens_max = 3, .length_penalty = penalty, .end_ids = {9}});
    beams.advance(Next{best({{1, -0.2F}, {9, -1.0F}})});
    while (!beams.done()) beams.advance(Next{best({{1, -0.9F}, {2, -4.0F}})});
    EXPECT_EQ(beams.take_best().front().ended, penalty == 0.0);
  }
}

TEST(BeamSearch, EndsEarlyWhenAskedOrWhenNothingCanChange) {
  const auto steps = [](bool early, float next) {
    BeamSearch beams({.width = 1, .tokens_max = 50, .early_stopping = early, .end_ids = {9}});
    int count = 1;
    beams.advance(Next{best({{1, -0.1F}, {9, -3.0F}})});
    for (; !beams.done(); ++count) beams.advance(Next{best({{1, next}, {2, -900.0F}})});
    return count;
  };
  EXPECT_EQ(steps(true, -0.1F), 1);
  EXPECT_EQ(steps(false, -0.1F), 50) << "the live beam is better all the time";
  EXPECT_LT(steps(false, -100.0F), 5);
}

}  // namespace
}  // namespace seraph
