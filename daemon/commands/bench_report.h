// Figures of a benchmark run and the table that vLLM's client prints. Pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "daemon/commands/bench_load.h"
#include "engine/base/json.h"

namespace seraph {

/// numpy's linear interpolation; `percent` in [0, 100]. 0 for an empty list.
double percentile(std::vector<double> values, double percent);

struct MetricSummary {
  std::string key;  // ttft, tpot, itl, e2el
  double mean = 0, median = 0, std_dev = 0;
  std::vector<std::pair<double, double>> percentiles;  // percent, value
};

struct BenchReport {
  int64_t completed = 0;
  int64_t failed = 0;
  double duration_s = 0;
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
  double peak_output_tokens_per_s = 0;  // chunks in the best second
  int64_t peak_concurrent = 0;
  std::vector<MetricSummary> metrics;  // milliseconds, in the order asked for
};

/// `metric_keys` of ttft, tpot, itl, e2el; others are left out.
BenchReport make_bench_report(const std::vector<BenchSample>& samples, double duration_s,
                              const std::vector<std::string>& metric_keys, const std::vector<double>& percents);

/// The table, 50 columns wide. `max_concurrency` 0 and an infinite `request_rate` leave their rows out.
std::string bench_table(const BenchReport& report, int max_concurrency, double request_rate);

/// The members that a result file adds to what was configured.
Json bench_result(const BenchReport& report);

}  // namespace seraph
