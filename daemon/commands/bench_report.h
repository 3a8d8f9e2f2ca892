// Figures of a benchmark run and the table that vLLM's client prints. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/commands/bench_load.h"
#include "engine/base/json.h"
#include "engine/base/result.h"

namespace seraph {

/// numpy's linear interpolation; `percent` in [0, 100]. 0 for an empty list.
double percentile(std::vector<double> values, double percent);

/// Limits in milliseconds that a good request keeps; those not set hold always.
struct Goodput {
  std::optional<double> ttft_ms, tpot_ms, e2el_ms;
  bool any() const { return ttft_ms || tpot_ms || e2el_ms; }
};
/// "ttft:1000" and so on. Errors name the word.
Result<Goodput> parse_goodput(const std::vector<std::string>& words);

/// The server's counters of speculation, as /metrics shows them.
struct SpecCounters {
  double drafts = 0, draft_tokens = 0, accepted_tokens = 0;
  std::vector<double> accepted_at;  // position 0, 1, ...
};
SpecCounters parse_spec_counters(std::string_view metrics_text);
SpecCounters operator-(const SpecCounters& after, const SpecCounters& before);

struct MetricSummary {
  std::string key;  // of metric_keys
  double mean = 0, median = 0, std_dev = 0;
  std::vector<std::pair<double, double>> percentiles;  // percent, value
};

struct BenchReport {
  int64_t completed = 0;
  int64_t failed = 0;
  double duration_s = 0;
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
  std::optional<int64_t> good;          // requests within the goodput limits, when there are limits
  double peak_output_tokens_per_s = 0;  // chunks in the best second
  int64_t peak_concurrent = 0;          // requests open at some time of the fullest second
  std::vector<MetricSummary> metrics;   // milliseconds, in the order of the table
  SpecCounters spec;                    // of this run; no drafts: nothing is said about them
};

struct BenchFigures {
  std::vector<std::string> metric_keys;  // of ttft, tpot, itl, e2el, client_queue_time, e2el_including_client_queue
  std::vector<double> percents;
  Goodput goodput;
};
/// Errors: a metric that does not exist.
Status check_metric_keys(const std::vector<std::string>& keys);

BenchReport make_bench_report(const std::vector<BenchSample>& samples, double duration_s, const BenchFigures& figures);

/// The table, 50 columns wide. `max_concurrency` 0 and an infinite `request_rate` leave their rows out.
std::string bench_table(const BenchReport& report, int max_concurrency, double request_rate);

/// The members that a result file adds to what was configured, in vLLM's order. `detailed` adds a value per request.
Json bench_result(const BenchReport& report, const std::vector<BenchSample>& samples, bool detailed);

}  // namespace seraph
