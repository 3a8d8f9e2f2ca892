// The three benchmarks behind `seraph bench`: a server over HTTP, and an engine in this process.
#pragma once

#include <string>
#include <string_view>

#include "daemon/cli/option.h"
#include "daemon/cli/settings.h"
#include "engine/base/result.h"

namespace seraph {

OptionTable bench_serve_options();
/// Options of the model and the engine (those of `serve`), and the benchmark's own.
OptionTable bench_latency_options();
OptionTable bench_throughput_options();

Status bench_serve(const Settings& settings);
Status bench_latency(const Settings& settings);
Status bench_throughput(const Settings& settings);

struct BenchDataset;
/// The options that all benchmarks with data sets share. REQUIRES: the table has their rows.
BenchDataset bench_dataset_of(const Settings& settings);

/// A positive number, or "inf". Errors name the option.
Result<double> parse_positive(std::string_view option, const std::string& text);
/// Writes `text` and a line end; with `append` behind what is there. Errors name the path.
Status write_result_file(const std::string& path, const std::string& text, bool append);

}  // namespace seraph
