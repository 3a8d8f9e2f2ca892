#include "kernels/cpu/routing.h"

#include <gtest/gtest.h>

#include <cmath>

namespace seraph::cpu {
namespace {

Routing routed(const std::vector<float>& scores, int32_t num_experts, int32_t top_k, bool normalise) {
  Routing out;
  route({.scores = scores.data(),
         .rows = static_cast<int64_t>(scores.size()) / num_experts,
         .stride = num_experts,
         .num_experts = num_experts,
         .top_k = top_k,
         .normalise = normalise},
        out);
  return out;
}

using Rows = std::vector<int32_t>;

TEST(Routing, RowsGoToTheirLargestScores) {
  const Routing routing = routed({0, 3, 1, 2, /**/ 5, 0, 0, 4}, 4, 2, false);
  EXPECT_EQ(routing.experts[0].rows, (Rows{1}));
  EXPECT_EQ(routing.experts[1].rows, (Rows{0}));
  EXPECT_EQ(routing.experts[2].rows, (Rows{}));
  EXPECT_EQ(routing.experts[3].rows, (Rows{0, 1}));
  const float sum = 1 + std::exp(-3.0F) + std::exp(-2.0F) + std::exp(-1.0F);
  EXPECT_NEAR(routing.experts[1].weights[0], 1 / sum, 1e-6);
  EXPECT_NEAR(routing.experts[3].weights[0], std::exp(-1.0F) / sum, 1e-6);
}

TEST(Routing, NormalisedWeightsAddUpToOne) {
  const Routing routing = routed({0, 3, 1, 2}, 4, 3, true);
  float sum = 0;
  for (const Routing::Assigned& expert : routing.experts) {
    for (const float weight : expert.weights) sum += weight;
  }
  EXPECT_NEAR(sum, 1.0F, 1e-6);
}

TEST(Routing, OfEqualScoresTheSmallerIndexWins) {
  const Routing routing = routed({1, 1, 1, 1}, 4, 2, true);
  EXPECT_EQ(routing.experts[0].rows, (Rows{0}));
  EXPECT_EQ(routing.experts[1].rows, (Rows{0}));
  EXPECT_TRUE(routing.experts[2].rows.empty());
}

TEST(Routing, LargeScoresDoNotOverflow) {
  const Routing routing = routed({1000, 999, -1000}, 3, 2, true);
  EXPECT_NEAR(routing.experts[0].weights[0], 1 / (1 + std::exp(-1.0F)), 1e-6);
}

}  // namespace
}  // namespace seraph::cpu
