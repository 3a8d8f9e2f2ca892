#include "daemon/commands/bench_requests.h"

#include <gtest/gtest.h>

#include <cmath>

namespace seraph {
namespace {

TEST(BenchRequests, BodiesAreThoseOfVllmsClient) {
  const std::vector<BenchPrompt> prompts = {{.text = "a b", .output_tokens = 4}, {.text = "c", .output_tokens = 5}};
  const BenchBody chat{.models = {"m"}, .ignore_eos = true, .extra = {{"top_k", 5}, {"temperature", 0.5}}};
  EXPECT_EQ(make_bench_bodies(prompts, chat).front(),
            R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a b"}]}],)"
            R"("max_completion_tokens":4,"stream":true,"stream_options":{"include_usage":true},"ignore_eos":true,)"
            R"("top_k":5,"temperature":0.5})");
  const BenchBody plain{.chat = false, .models = {"a", "b"}};
  const auto bodies = make_bench_bodies(prompts, plain);
  ASSERT_EQ(bodies.size(), 2U);
  EXPECT_EQ(bodies[1],
            R"({"model":"b","prompt":"c","repetition_penalty":1.0,"max_tokens":5,"logprobs":null,"stream":true,)"
            R"("stream_options":{"include_usage":true}})");
}

TEST(BenchRequests, ArrivalsFollowTheRate) {
  EXPECT_EQ(make_arrivals(3, {}), (std::vector<int64_t>{0, 0, 0}));
  const auto starts_us = make_arrivals(2000, {.requests_per_s = 100, .seed = 1});
  EXPECT_EQ(starts_us.back(), 20'000'000);
  EXPECT_TRUE(std::is_sorted(starts_us.begin(), starts_us.end()));
  EXPECT_EQ(starts_us, make_arrivals(2000, {.requests_per_s = 100, .seed = 1}));
  EXPECT_NE(starts_us, make_arrivals(2000, {.requests_per_s = 100, .seed = 2}));
}

double gap_variance(const std::vector<int64_t>& starts_us) {
  double squares = 0;
  for (size_t i = 1; i < starts_us.size(); ++i) {
    squares += std::pow(static_cast<double>(starts_us[i] - starts_us[i - 1]) * 1e-6 - 0.01, 2);
  }
  return squares / static_cast<double>(starts_us.size());
}

TEST(BenchRequests, BurstinessShapesTheGaps) {
  const double poisson = gap_variance(make_arrivals(5000, {.requests_per_s = 100}));
  EXPECT_NEAR(poisson, 1e-4, 2e-5);
  EXPECT_LT(gap_variance(make_arrivals(5000, {.requests_per_s = 100, .burstiness = 10})), poisson / 5);
  const auto even = make_arrivals(3, {.requests_per_s = 10, .burstiness = std::numeric_limits<double>::infinity()});
  EXPECT_EQ(even, (std::vector<int64_t>{100'000, 200'000, 300'000}));
}

TEST(BenchRequests, ARampGrowsTheRate) {
  for (const char* strategy : {"linear", "exponential"}) {
    const auto starts_us =
        make_arrivals(1000, {.ramp_strategy = strategy, .ramp_start_per_s = 10, .ramp_end_per_s = 1000});
    EXPECT_GT(starts_us[100] - starts_us[0], 5 * (starts_us[999] - starts_us[899])) << strategy;
  }
}

}  // namespace
}  // namespace seraph
