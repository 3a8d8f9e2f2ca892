// `seraph bench`: which benchmark, its options, its exit status.
#include "daemon/commands/bench.h"

#include <spdlog/fmt/fmt.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <limits>

#include "daemon/cli/help.h"
#include "daemon/commands/bench_dataset.h"
#include "daemon/commands/commands.h"

namespace seraph {
namespace {

struct Benchmark {
  std::string_view name;
  OptionTable (*options)();
  Status (*run)(const Settings& settings);
};

constexpr Benchmark kBenchmarks[] = {{"serve", bench_serve_options, bench_serve},
                                     {"latency", bench_latency_options, bench_latency},
                                     {"throughput", bench_throughput_options, bench_throughput}};

}  // namespace

OptionTable bench_options() { return bench_serve_options(); }

BenchDataset bench_dataset_of(const Settings& settings) {
  BenchDataset out;
  out.name = settings.text("dataset-name");
  out.path = settings.text("dataset-path");
  out.num_prompts = settings.number("num-prompts");
  out.seed = static_cast<uint64_t>(settings.number("seed"));
  out.shuffle = !settings.flag("disable-shuffle");
  out.oversample = !settings.flag("no-oversample");
  out.random_input_tokens = settings.number("random-input-len");
  out.random_output_tokens = settings.number("random-output-len");
  out.random_prefix_tokens = settings.number("random-prefix-len");
  out.random_range_ratio = settings.real("random-range-ratio");
  out.sharegpt_output_tokens = settings.number("sharegpt-output-len");
  out.custom_output_tokens = settings.number("custom-output-len");
  out.prefix_tokens = settings.number("prefix-repetition-prefix-len");
  out.suffix_tokens = settings.number("prefix-repetition-suffix-len");
  out.num_prefixes = settings.number("prefix-repetition-num-prefixes");
  out.prefix_output_tokens = settings.number("prefix-repetition-output-len");
  if (settings.at("input-len").set) out.random_input_tokens = settings.number("input-len");
  if (settings.at("output-len").set) {
    for (int64_t* target : {&out.random_output_tokens, &out.sharegpt_output_tokens, &out.custom_output_tokens,
                            &out.prefix_output_tokens}) {
      *target = settings.number("output-len");
    }
  }
  return out;
}

Result<double> parse_positive(std::string_view option, const std::string& text) {
  if (text == "inf") return std::numeric_limits<double>::infinity();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && value > 0) return value;
  return Error{ErrorCode::kInvalidArgument, fmt::format("argument --{}: '{}' is no positive number", option, text)};
}

Status write_result_file(const std::string& path, const std::string& text, bool append) {
  std::ofstream file(path, append ? std::ios::app : std::ios::trunc);
  file << text << "\n";
  if (file.flush()) return {};
  return Error{ErrorCode::kIo, fmt::format("the result file {} cannot be written", path), "check its folder"};
}

int run_bench(const Args& args) {
  // The plain `seraph bench URL` means `serve`, the benchmark that most people are after.
  Args words = args;
  const Benchmark* benchmark = kBenchmarks;
  for (const Benchmark& each : kBenchmarks) {
    if (words.empty() || words.front() != each.name) continue;
    benchmark = &each;
    words.erase(words.begin());
    break;
  }
  const OptionTable table = benchmark->options();
  if (asks_for_help(words)) {
    fmt::print("{}", table_help(table, false));
    return 0;
  }
  auto settings = resolve_settings(table, Verb::kServe, Sources{words, process_environment});
  if (!settings.ok()) return report_error(table.command, settings.error());
  for (const std::string& note : settings->notes()) fmt::print(stderr, "{}\n", note);
  const Status status = benchmark->run(*settings);
  return status.ok() ? 0 : report_error(table.command, status.error());
}

}  // namespace seraph
