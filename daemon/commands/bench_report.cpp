#include "daemon/commands/bench_report.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace seraph {
namespace {

constexpr int kTableWidth = 50;

std::string centred(const std::string& title, char fill) {
  const int free = kTableWidth - static_cast<int>(title.size());
  const int left = free / 2;
  return std::string(static_cast<size_t>(left), fill) + title + std::string(static_cast<size_t>(free - left), fill) +
         "\n";
}

std::string row(const std::string& label, int64_t value) { return fmt::format("{:<40} {:<10}\n", label, value); }
std::string row(const std::string& label, double value) {
  return fmt::format("{:<40} {:<10}\n", label, fmt::format("{:.2f}", value));
}

struct MetricName {
  const char* key;
  const char* shown;
  const char* title;
};

constexpr MetricName kMetricNames[] = {{"ttft", "TTFT", "Time to First Token"},
                                       {"tpot", "TPOT", "Time per Output Token (excl. 1st token)"},
                                       {"itl", "ITL", "Inter-token Latency"},
                                       {"e2el", "E2EL", "End-to-end Latency"}};

std::vector<double> metric_values(const std::vector<BenchSample>& samples, const std::string& key) {
  std::vector<double> values;
  for (const BenchSample& sample : samples) {
    if (!sample.ok) continue;
    const auto ms = [](int64_t us) { return static_cast<double>(us) * 1e-3; };
    const double ttft = ms(sample.chunks_us.front() - sample.start_us);
    const double latency = ms(sample.end_us - sample.start_us);
    if (key == "ttft") values.push_back(ttft);
    if (key == "e2el") values.push_back(latency);
    if (key == "tpot" && sample.output_tokens > 1) {
      values.push_back((latency - ttft) / static_cast<double>(sample.output_tokens - 1));
    }
    for (size_t i = 1; key == "itl" && i < sample.chunks_us.size(); ++i) {
      values.push_back(ms(sample.chunks_us[i] - sample.chunks_us[i - 1]));
    }
  }
  return values;
}

MetricSummary summarise(const std::string& key, const std::vector<double>& values,
                        const std::vector<double>& percents) {
  MetricSummary summary;
  summary.key = key;
  for (const double percent : percents) summary.percentiles.emplace_back(percent, percentile(values, percent));
  if (values.empty()) return summary;
  const auto count = static_cast<double>(values.size());
  summary.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  summary.median = percentile(values, 50);
  double squares = 0;
  for (const double value : values) squares += (value - summary.mean) * (value - summary.mean);
  summary.std_dev = std::sqrt(squares / count);
  return summary;
}

void find_peaks(const std::vector<BenchSample>& samples, BenchReport& report) {
  std::map<int64_t, int64_t> chunks_of_second;
  std::vector<std::pair<int64_t, int>> edges;
  int64_t begin_us = INT64_MAX;
  for (const BenchSample& sample : samples) {
    if (sample.ok) begin_us = std::min(begin_us, sample.start_us);
  }
  for (const BenchSample& sample : samples) {
    if (!sample.ok) continue;
    for (const int64_t chunk_us : sample.chunks_us) ++chunks_of_second[(chunk_us - begin_us) / 1'000'000];
    edges.emplace_back(sample.start_us, 1);
    edges.emplace_back(sample.end_us, -1);
  }
  for (const auto& [second, count] : chunks_of_second) {
    report.peak_output_tokens_per_s = std::max(report.peak_output_tokens_per_s, static_cast<double>(count));
  }
  std::sort(edges.begin(), edges.end());
  int64_t open = 0;
  for (const auto& [time_us, change] : edges) {
    open += change;
    report.peak_concurrent = std::max(report.peak_concurrent, open);
  }
}

}  // namespace

double percentile(std::vector<double> values, double percent) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double place = percent / 100 * static_cast<double>(values.size() - 1);
  const auto low = static_cast<size_t>(place);
  const size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (values[high] - values[low]) * (place - static_cast<double>(low));
}

BenchReport make_bench_report(const std::vector<BenchSample>& samples, double duration_s,
                              const std::vector<std::string>& metric_keys, const std::vector<double>& percents) {
  BenchReport report;
  report.duration_s = duration_s;
  for (const BenchSample& sample : samples) {
    if (!sample.ok) {
      ++report.failed;
      continue;
    }
    ++report.completed;
    report.input_tokens += sample.prompt_tokens;
    report.output_tokens += sample.output_tokens;
  }
  find_peaks(samples, report);
  for (const MetricName& name : kMetricNames) {
    if (std::find(metric_keys.begin(), metric_keys.end(), name.key) == metric_keys.end()) continue;
    report.metrics.push_back(summarise(name.key, metric_values(samples, name.key), percents));
  }
  return report;
}

std::string bench_table(const BenchReport& report, int max_concurrency, double request_rate) {
  const double seconds = report.duration_s > 0 ? report.duration_s : 1;
  const auto rate = [&](int64_t count) { return static_cast<double>(count) / seconds; };
  std::string out = centred(" Serving Benchmark Result ", '=');
  out += row("Successful requests:", report.completed);
  out += row("Failed requests:", report.failed);
  if (max_concurrency > 0) out += row("Maximum request concurrency:", static_cast<int64_t>(max_concurrency));
  if (std::isfinite(request_rate)) out += row("Request rate configured (RPS):", request_rate);
  out += row("Benchmark duration (s):", report.duration_s);
  out += row("Total input tokens:", report.input_tokens);
  out += row("Total generated tokens:", report.output_tokens);
  out += row("Request throughput (req/s):", rate(report.completed));
  out += row("Output token throughput (tok/s):", rate(report.output_tokens));
  out += row("Peak output token throughput (tok/s):", report.peak_output_tokens_per_s);
  out += row("Peak concurrent requests:", static_cast<double>(report.peak_concurrent));
  out += row("Total token throughput (tok/s):", rate(report.input_tokens + report.output_tokens));
  for (const MetricSummary& metric : report.metrics) {
    const MetricName* name = std::find_if(std::begin(kMetricNames), std::end(kMetricNames),
                                          [&](const MetricName& each) { return metric.key == each.key; });
    out += centred(name->title, '-');
    out += row(fmt::format("Mean {} (ms):", name->shown), metric.mean);
    out += row(fmt::format("Median {} (ms):", name->shown), metric.median);
    for (const auto& [percent, value] : metric.percentiles) {
      out += row(fmt::format("P{:g} {} (ms):", percent, name->shown), value);
    }
  }
  return out + std::string(kTableWidth, '=') + "\n";
}

Json bench_result(const BenchReport& report) {
  const double seconds = report.duration_s > 0 ? report.duration_s : 1;
  Json out(Json::Object{});
  out.set("duration", report.duration_s);
  out.set("completed", report.completed);
  out.set("failed", report.failed);
  out.set("total_input_tokens", report.input_tokens);
  out.set("total_output_tokens", report.output_tokens);
  out.set("request_throughput", static_cast<double>(report.completed) / seconds);
  out.set("output_throughput", static_cast<double>(report.output_tokens) / seconds);
  out.set("total_token_throughput", static_cast<double>(report.input_tokens + report.output_tokens) / seconds);
  for (const MetricSummary& metric : report.metrics) {
    out.set("mean_" + metric.key + "_ms", metric.mean);
    out.set("median_" + metric.key + "_ms", metric.median);
    out.set("std_" + metric.key + "_ms", metric.std_dev);
    for (const auto& [percent, value] : metric.percentiles) {
      out.set(fmt::format("p{:g}_{}_ms", percent, metric.key), value);
    }
  }
  return out;
}

}  // namespace seraph
