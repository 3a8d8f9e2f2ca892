#include <gtest/gtest.h>

#include <fstream>

#include "daemon/commands/bench.h"
#include "engine/base/json.h"

namespace seraph {
namespace {

constexpr const char* kModel = SERAPH_TEST_DATA "/golden/api/model";

Settings settings_of(const OptionTable& table, std::vector<std::string> words) {
  for (const char* word : {"--model", kModel, "--dtype", "float32", "--max-model-len", "128"}) words.emplace_back(word);
  auto settings = resolve_settings(table, Verb::kServe, Sources{words, nullptr});
  EXPECT_TRUE(settings.ok()) << settings.error().text();
  return std::move(*settings);
}

TEST(BenchEngine, LatencyTimesEveryRound) {
  const std::string path = testing::TempDir() + "latency.json";
  const Status status = bench_latency(
      settings_of(bench_latency_options(), {"--input-len", "8", "--output-len", "4", "--batch-size", "2", "--n", "2",
                                            "--num-iters-warmup", "1", "--num-iters", "3", "--output-json", path}));
  ASSERT_TRUE(status.ok()) << status.error().text();
  const auto result = Json::parse_file(path);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->find("latencies")->as_array().size(), 3U);
  EXPECT_GT(result->find("percentiles")->find("99")->as_double(), 0);
}

TEST(BenchEngine, ThroughputCountsTokens) {
  const std::string path = testing::TempDir() + "throughput.json";
  const Status status = bench_throughput(
      settings_of(bench_throughput_options(), {"--random-input-len", "10", "--random-output-len", "5", "--num-prompts",
                                               "4", "--n", "3", "--output-json", path}));
  ASSERT_TRUE(status.ok()) << status.error().text();
  const auto result = Json::parse_file(path);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->find("num_requests")->as_int(), 4);
  EXPECT_NEAR(static_cast<double>(result->find("total_num_tokens")->as_int()), 4 * 10 + 4 * 5 * 3, 4);
}

TEST(BenchEngine, WhatDoesNotFitTheContextIsRefused) {
  EXPECT_FALSE(bench_latency(settings_of(bench_latency_options(), {"--input-len", "100", "--output-len", "29"})).ok());
}

}  // namespace
}  // namespace seraph
