#include "daemon/commands/bench_report.h"

#include <gtest/gtest.h>

#include <limits>

namespace seraph {
namespace {

TEST(BenchReport, PercentilesInterpolateLinearly) {
  EXPECT_DOUBLE_EQ(percentile({}, 50), 0);
  EXPECT_DOUBLE_EQ(percentile({7}, 99), 7);
  EXPECT_DOUBLE_EQ(percentile({4, 1, 3, 2}, 50), 2.5);
  EXPECT_DOUBLE_EQ(percentile({0, 10}, 99), 9.9);
  EXPECT_DOUBLE_EQ(percentile({0, 10}, 100), 10);
}

std::vector<BenchSample> two_samples() {
  BenchSample first{.ok = true, .prompt_tokens = 10, .output_tokens = 3, .start_us = 0, .end_us = 400'000};
  first.chunks_us = {200'000, 300'000, 400'000};
  BenchSample second{.ok = true, .prompt_tokens = 20, .output_tokens = 1, .start_us = 100'000, .end_us = 200'000};
  second.chunks_us = {200'000};
  return {first, second, BenchSample{.error = "HTTP 500"}};
}

TEST(BenchReport, MetricsAreThoseOfTheBenchmarkClient) {
  const BenchReport report = make_bench_report(two_samples(), 0.5, {{"ttft", "tpot", "itl", "e2el"}, {99}, {}});
  EXPECT_EQ(report.completed, 2);
  EXPECT_EQ(report.failed, 1);
  EXPECT_EQ(report.input_tokens, 30);
  EXPECT_EQ(report.output_tokens, 4);
  EXPECT_EQ(report.peak_concurrent, 2);
  ASSERT_EQ(report.metrics.size(), 4U);
  EXPECT_DOUBLE_EQ(report.metrics[0].mean, 150);  // 200 and 100 ms
  EXPECT_DOUBLE_EQ(report.metrics[1].mean, 100);  // only the first has more than one token
  EXPECT_DOUBLE_EQ(report.metrics[2].mean, 100);
  EXPECT_DOUBLE_EQ(report.metrics[3].median, 250);
}

TEST(BenchReport, TheTableIsFiftyColumnsWide) {
  const BenchReport report = make_bench_report(two_samples(), 0.5, {{"ttft"}, {50, 99}, {}});
  const std::string table = bench_table(report, 0, std::numeric_limits<double>::infinity());
  EXPECT_EQ(table.find("============ Serving Benchmark Result ============\n"), 0U);
  EXPECT_NE(table.find("Successful requests:                     2         \n"), std::string::npos);
  EXPECT_NE(table.find("Output token throughput (tok/s):         8.00      \n"), std::string::npos);
  EXPECT_NE(table.find("---------------Time to First Token----------------\n"), std::string::npos);
  EXPECT_NE(table.find("P99 TTFT (ms):                           199.00    \n"), std::string::npos);
  EXPECT_EQ(table.find("Maximum request concurrency"), std::string::npos);
  EXPECT_TRUE(table.ends_with("\n==================================================\n"));
}

TEST(BenchReport, GoodRequestsKeepTheirLimits) {
  const auto count = [](const std::vector<std::string>& words) {
    return make_bench_report(two_samples(), 1, {{}, {}, *parse_goodput(words)}).good;
  };
  EXPECT_EQ(count({}), std::nullopt);
  EXPECT_EQ(count({"ttft:150"}), 1);
  EXPECT_EQ(count({"ttft:1000", "e2el:1000"}), 2);
  EXPECT_EQ(count({"ttft:150", "e2el:50"}), 0);
  for (const char* bad : {"itl:5", "ttft", "ttft:", "ttft:x", "ttft:-1"})
    EXPECT_FALSE(parse_goodput({bad}).ok()) << bad;
}

TEST(BenchReport, UnknownMetricsAreRefused) {
  EXPECT_TRUE(check_metric_keys({"ttft", "client_queue_time"}).ok());
  EXPECT_FALSE(check_metric_keys({"ttft", "latency"}).ok());
}

TEST(BenchReport, ADetailedResultHasAValuePerRequest) {
  const BenchReport report = make_bench_report(two_samples(), 0.5, {{"ttft"}, {99}, {}});
  const Json result = bench_result(report, two_samples(), true);
  EXPECT_EQ(result.find("itls")->dump(), "[[0.1,0.1],[],[]]");
  EXPECT_EQ(result.find("errors")->dump(), R"(["","","HTTP 500"])");
  EXPECT_EQ(result.find("request_goodput")->dump(), "null");
  EXPECT_EQ(result.find("max_concurrent_requests")->as_int(), 2);
  EXPECT_EQ(bench_result(report, two_samples(), false).find("itls"), nullptr);
}

}  // namespace
}  // namespace seraph
