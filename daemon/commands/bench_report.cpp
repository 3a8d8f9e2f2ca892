#include "daemon/commands/bench_report.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cmath>
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

constexpr MetricName kMetricNames[] = {
    {"ttft", "TTFT", "Time to First Token"},
    {"tpot", "TPOT", "Time per Output Token (excl. 1st token)"},
    {"itl", "ITL", "Inter-token Latency"},
    {"e2el", "E2EL", "End-to-end Latency"},
    {"client_queue_time", "Client Queue Time", "Client-side Queueing"},
    {"e2el_including_client_queue", "E2EL incl. Client Queue", "Queue-inclusive End-to-end Latency"}};

double ms(int64_t us) { return static_cast<double>(us) * 1e-3; }
double ttft_ms(const BenchSample& sample) { return ms(sample.chunks_us.front() - sample.start_us); }
double latency_ms(const BenchSample& sample) { return ms(sample.end_us - sample.start_us); }
double queue_ms(const BenchSample& sample) { return ms(sample.start_us - sample.due_us); }
/// 0 for an answer of one token, which has no second one to wait for.
double tpot_ms(const BenchSample& sample) {
  if (sample.output_tokens <= 1) return 0;
  return (latency_ms(sample) - ttft_ms(sample)) / static_cast<double>(sample.output_tokens - 1);
}

void append_values(const BenchSample& sample, std::string_view key, std::vector<double>& values) {
  if (key == "ttft") values.push_back(ttft_ms(sample));
  if (key == "e2el") values.push_back(latency_ms(sample));
  if (key == "tpot" && sample.output_tokens > 1) values.push_back(tpot_ms(sample));
  if (key == "client_queue_time") values.push_back(queue_ms(sample));
  if (key == "e2el_including_client_queue") values.push_back(latency_ms(sample) + queue_ms(sample));
  for (size_t i = 1; key == "itl" && i < sample.chunks_us.size(); ++i) {
    values.push_back(ms(sample.chunks_us[i] - sample.chunks_us[i - 1]));
  }
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

/// Both peaks are taken over whole seconds, as vLLM's client does.
void find_peaks(const std::vector<BenchSample>& samples, BenchReport& report) {
  int64_t begin_us = INT64_MAX;
  int64_t end_us = 0;
  for (const BenchSample& sample : samples) {
    if (!sample.ok) continue;
    begin_us = std::min(begin_us, sample.start_us);
    end_us = std::max(end_us, sample.end_us);
  }
  if (begin_us == INT64_MAX) return;
  const auto second = [&](int64_t time_us) { return static_cast<size_t>((time_us - begin_us) / 1'000'000); };
  std::vector<int64_t> chunks(second(end_us) + 1, 0);
  std::vector<int64_t> open(chunks.size(), 0);
  for (const BenchSample& sample : samples) {
    if (!sample.ok) continue;
    for (const int64_t chunk_us : sample.chunks_us) ++chunks[second(chunk_us)];
    for (size_t i = second(sample.start_us); i <= second(sample.end_us); ++i) ++open[i];
  }
  report.peak_output_tokens_per_s = static_cast<double>(*std::max_element(chunks.begin(), chunks.end()));
  report.peak_concurrent = *std::max_element(open.begin(), open.end());
}

bool is_good(const BenchSample& sample, const Goodput& limits) {
  return (!limits.ttft_ms || ttft_ms(sample) <= *limits.ttft_ms) &&
         (!limits.tpot_ms || tpot_ms(sample) <= *limits.tpot_ms) &&
         (!limits.e2el_ms || latency_ms(sample) <= *limits.e2el_ms);
}

std::string spec_rows(const SpecCounters& spec) {
  std::string out = centred("Speculative Decoding", '-');
  out += row("Acceptance rate (%):", spec.draft_tokens > 0 ? 100 * spec.accepted_tokens / spec.draft_tokens : 0.0);
  out += row("Acceptance length:", 1 + spec.accepted_tokens / spec.drafts);
  out += row("Drafts:", static_cast<int64_t>(spec.drafts));
  out += row("Draft tokens:", static_cast<int64_t>(spec.draft_tokens));
  out += row("Accepted tokens:", static_cast<int64_t>(spec.accepted_tokens));
  if (!spec.accepted_at.empty()) out += "Per-position acceptance (%):\n";
  for (size_t i = 0; i < spec.accepted_at.size(); ++i) {
    out += row(fmt::format("  Position {}:", i), 100 * spec.accepted_at[i] / spec.drafts);
  }
  return out;
}

template <typename Value>
Json values_of(const std::vector<BenchSample>& samples, const Value& value) {
  Json::Array values;
  for (const BenchSample& sample : samples) values.emplace_back(value(sample));
  return Json(std::move(values));
}

Json itls_of(const BenchSample& sample) {
  std::vector<double> values;
  append_values(sample, "itl", values);
  Json::Array out;
  for (const double value : values) out.emplace_back(value * 1e-3);
  return Json(std::move(out));
}

void set_detailed(Json& out, const std::vector<BenchSample>& samples) {
  out.set("input_lens", values_of(samples, [](const auto& each) { return Json(each.prompt_tokens); }));
  out.set("output_lens", values_of(samples, [](const auto& each) { return Json(each.output_tokens); }));
  out.set("ttfts", values_of(samples, [](const auto& each) { return Json(each.ok ? ttft_ms(each) * 1e-3 : 0.0); }));
  out.set("itls", values_of(samples, itls_of));
  out.set("start_times", values_of(samples, [](const auto& each) { return Json(ms(each.start_us) * 1e-3); }));
  out.set("generated_texts", values_of(samples, [](const auto& each) { return Json(each.text); }));
  out.set("errors", values_of(samples, [](const auto& each) { return Json(each.error); }));
}

void set_spec(Json& out, const SpecCounters& spec) {
  out.set("spec_decode_acceptance_rate", spec.draft_tokens > 0 ? 100 * spec.accepted_tokens / spec.draft_tokens : 0.0);
  out.set("spec_decode_acceptance_length", 1 + spec.accepted_tokens / spec.drafts);
  out.set("spec_decode_num_drafts", static_cast<int64_t>(spec.drafts));
  out.set("spec_decode_draft_tokens", static_cast<int64_t>(spec.draft_tokens));
  out.set("spec_decode_accepted_tokens", static_cast<int64_t>(spec.accepted_tokens));
  Json::Array rates;
  for (const double accepted : spec.accepted_at) rates.emplace_back(accepted / spec.drafts);
  out.set("spec_decode_per_position_acceptance_rates", Json(std::move(rates)));
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

Result<Goodput> parse_goodput(const std::vector<std::string>& words) {
  Goodput goodput;
  for (const std::string& word : words) {
    const size_t colon = word.find(':');
    const std::string key = word.substr(0, colon);
    double limit = 0;
    const char* begin = word.data() + (colon == std::string::npos ? word.size() : colon + 1);
    const auto [end, error] = std::from_chars(begin, word.data() + word.size(), limit);
    std::optional<double>* target = key == "ttft"   ? &goodput.ttft_ms
                                    : key == "tpot" ? &goodput.tpot_ms
                                    : key == "e2el" ? &goodput.e2el_ms
                                                    : nullptr;
    if (target == nullptr || error != std::errc{} || end != word.data() + word.size() || limit < 0) {
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("argument --goodput: '{}' is not METRIC:MILLISECONDS with ttft, tpot or e2el", word)};
    }
    *target = limit;
  }
  return goodput;
}

Status check_metric_keys(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    if (std::any_of(std::begin(kMetricNames), std::end(kMetricNames),
                    [&](const MetricName& name) { return key == name.key; })) {
      continue;
    }
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("argument --percentile-metrics: there is no metric '{}'", key),
                 "choose of ttft, tpot, itl, e2el, client_queue_time, e2el_including_client_queue"};
  }
  return {};
}

BenchReport make_bench_report(const std::vector<BenchSample>& samples, double duration_s, const BenchFigures& figures) {
  BenchReport report;
  report.duration_s = duration_s;
  if (figures.goodput.any()) report.good = 0;
  for (const BenchSample& sample : samples) {
    if (!sample.ok) {
      ++report.failed;
      continue;
    }
    ++report.completed;
    report.input_tokens += sample.prompt_tokens;
    report.output_tokens += sample.output_tokens;
    if (report.good && is_good(sample, figures.goodput)) ++*report.good;
  }
  find_peaks(samples, report);
  for (const MetricName& name : kMetricNames) {
    if (std::find(figures.metric_keys.begin(), figures.metric_keys.end(), name.key) == figures.metric_keys.end()) {
      continue;
    }
    std::vector<double> values;
    for (const BenchSample& sample : samples) {
      if (sample.ok) append_values(sample, name.key, values);
    }
    report.metrics.push_back(summarise(name.key, values, figures.percents));
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
  if (report.good) out += row("Request goodput (req/s):", rate(*report.good));
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
  if (report.spec.drafts > 0) out += spec_rows(report.spec);
  return out + std::string(kTableWidth, '=') + "\n";
}

Json bench_result(const BenchReport& report, const std::vector<BenchSample>& samples, bool detailed) {
  const double seconds = report.duration_s > 0 ? report.duration_s : 1;
  const auto rate = [&](int64_t count) { return static_cast<double>(count) / seconds; };
  Json out(Json::Object{});
  out.set("duration", report.duration_s);
  out.set("completed", report.completed);
  out.set("failed", report.failed);
  out.set("total_input_tokens", report.input_tokens);
  out.set("total_output_tokens", report.output_tokens);
  out.set("request_throughput", rate(report.completed));
  out.set("request_goodput", report.good ? Json(rate(*report.good)) : Json());
  out.set("output_throughput", rate(report.output_tokens));
  out.set("total_token_throughput", rate(report.input_tokens + report.output_tokens));
  if (detailed) set_detailed(out, samples);
  out.set("latencies",
          values_of(samples, [](const auto& each) { return Json(each.ok ? latency_ms(each) * 1e-3 : 0.0); }));
  out.set("queue_times", values_of(samples, [](const auto& each) { return Json(queue_ms(each) * 1e-3); }));
  out.set("max_output_tokens_per_s", report.peak_output_tokens_per_s);
  out.set("max_concurrent_requests", report.peak_concurrent);
  out.set("rtfx", 0.0);
  if (report.spec.drafts > 0) set_spec(out, report.spec);
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
