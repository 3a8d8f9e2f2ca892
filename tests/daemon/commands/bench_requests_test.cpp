#include "daemon/commands/bench_requests.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(BenchRequests, TheSameSeedGivesTheSameRequests) {
  const RandomDataset dataset{.num_prompts = 3, .input_tokens = 5, .output_tokens = 4, .seed = 7};
  const BenchBody body{.model = "m", .ignore_eos = true};
  const auto bodies = make_random_bodies(dataset, body);
  ASSERT_EQ(bodies.size(), 3U);
  EXPECT_EQ(bodies, make_random_bodies(dataset, body));
  EXPECT_NE(bodies[0], bodies[1]);
  const auto json = Json::parse(bodies[0]);
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json->find("max_completion_tokens")->as_int(), 4);
  EXPECT_TRUE(json->find("ignore_eos")->as_bool());
  EXPECT_EQ(json->find("temperature"), nullptr);
}

TEST(BenchRequests, LengthsStayInTheirRange) {
  const RandomDataset dataset{.num_prompts = 200, .input_tokens = 10, .output_tokens = 10, .range_ratio = 0.5};
  for (const std::string& body : make_random_bodies(dataset, BenchBody{.chat = false})) {
    const auto json = Json::parse(body);
    ASSERT_TRUE(json.ok());
    const int64_t answer = json->find("max_tokens")->as_int();
    EXPECT_GE(answer, 5);
    EXPECT_LE(answer, 15);
  }
}

TEST(BenchRequests, ArrivalsFollowTheRate) {
  EXPECT_EQ(make_arrivals(3, std::numeric_limits<double>::infinity(), 0), (std::vector<int64_t>{0, 0, 0}));
  const auto starts_us = make_arrivals(2000, 100, 1);
  EXPECT_EQ(starts_us.front(), 0);
  EXPECT_NEAR(static_cast<double>(starts_us.back()) * 1e-6, 20, 2);
}

}  // namespace
}  // namespace seraph
