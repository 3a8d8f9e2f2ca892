#include <spdlog/fmt/fmt.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <limits>

#include "daemon/cli/help.h"
#include "daemon/cli/settings.h"
#include "daemon/commands/bench_load.h"
#include "daemon/commands/bench_report.h"
#include "daemon/commands/bench_requests.h"
#include "daemon/commands/commands.h"
#include "engine/base/clock.h"

namespace seraph {
namespace {

using T = OptionType;
using G = OptionGroup;

constexpr OptionRow kBenchOptions[] = {
    {.name = "base-url", .group = G::kTool, .help = "Server, http://HOST:PORT[/PREFIX]; wins over --host and --port."},
    {.name = "host", .group = G::kTool, .help = "Server's host.", .serve_default = "127.0.0.1"},
    {.name = "port",
     .type = T::kInt,
     .group = G::kTool,
     .help = "Server's port.",
     .serve_default = "8501",
     .min = 1,
     .max = 65535},
    {.name = "endpoint",
     .group = G::kTool,
     .help = "Path; /v1/completions sends prompts, others messages.",
     .serve_default = "/v1/chat/completions"},
    {.name = "backend",
     .group = G::kTool,
     .help = "Taken from the endpoint; kept for old command lines.",
     .choices = "openai|openai-chat|vllm"},
    {.name = "model", .group = G::kTool, .help = "Name in the requests; default: the server's first model."},
    {.name = "served-model-name", .group = G::kTool, .help = "Wins over --model."},
    {.name = "tokenizer", .group = G::kTool, .help = "Not needed: the server counts the tokens."},
    {.name = "dataset-name",
     .group = G::kTool,
     .help = "Kind of prompts.",
     .serve_default = "random",
     .choices = "random"},
    {.name = "num-prompts",
     .type = T::kInt,
     .group = G::kTool,
     .help = "Requests.",
     .serve_default = "1000",
     .min = 1,
     .max = 1e7},
    {.name = "random-input-len",
     .type = T::kInt,
     .group = G::kTool,
     .help = "Words of a prompt.",
     .aliases = "input-len",
     .serve_default = "1024",
     .min = 1,
     .max = 1e6},
    {.name = "random-output-len",
     .type = T::kInt,
     .group = G::kTool,
     .help = "Most tokens of an answer.",
     .aliases = "output-len",
     .serve_default = "128",
     .min = 1,
     .max = 1e6},
    {.name = "random-prefix-len",
     .type = T::kInt,
     .group = G::kTool,
     .help = "Words that all prompts share.",
     .serve_default = "0",
     .min = 0,
     .max = 1e6},
    {.name = "random-range-ratio",
     .type = T::kFloat,
     .group = G::kTool,
     .help = "Lengths vary by this share.",
     .serve_default = "0",
     .min = 0,
     .max = 0.999},
    {.name = "request-rate",
     .group = G::kTool,
     .help = "Requests per second (Poisson); inf sends all at once.",
     .serve_default = "inf"},
    {.name = "max-concurrency",
     .type = T::kInt,
     .group = G::kTool,
     .help = "Requests at the same time; 0 is no limit.",
     .serve_default = "0",
     .min = 0,
     .max = 1e6},
    {.name = "ignore-eos",
     .type = T::kBool,
     .group = G::kTool,
     .help = "Answers go on to their full length.",
     .serve_default = "false"},
    {.name = "temperature", .type = T::kFloat, .group = G::kTool, .help = "Sent only when given.", .min = 0, .max = 2},
    {.name = "seed",
     .type = T::kInt,
     .group = G::kTool,
     .help = "Of prompts and arrivals.",
     .serve_default = "0",
     .min = 0,
     .max = 9e18},
    {.name = "api-key", .group = G::kTool, .help = "Key to send.", .env_always = "OPENAI_API_KEY", .secret = true},
    {.name = "percentile-metrics",
     .type = T::kList,
     .group = G::kTool,
     .help = "Of ttft, tpot, itl, e2el.",
     .serve_default = "ttft,tpot,itl",
     .splits_commas = true},
    {.name = "metric-percentiles",
     .type = T::kList,
     .group = G::kTool,
     .help = "Percentiles to print.",
     .serve_default = "99",
     .splits_commas = true},
    {.name = "save-result",
     .type = T::kBool,
     .group = G::kTool,
     .help = "Write the figures to a JSON file.",
     .serve_default = "false"},
    {.name = "result-dir", .group = G::kTool, .help = "Folder of that file.", .serve_default = "."},
    {.name = "result-filename", .group = G::kTool, .help = "Its name; default: made from rate, model and time."},
    {.name = "metadata", .type = T::kList, .group = G::kTool, .help = "KEY=VALUE pairs for that file."},
    {.name = "disable-tqdm",
     .type = T::kBool,
     .group = G::kTool,
     .help = "There is no progress bar.",
     .serve_default = "false"},
};

Result<HttpTarget> target_of(const Settings& settings) {
  if (const std::string& url = settings.text("base-url"); !url.empty()) return parse_http_url(url);
  return HttpTarget{.host = settings.text("host"), .port = static_cast<int>(settings.number("port"))};
}

Result<std::string> model_of(const Settings& settings, const LoadPlan& plan) {
  for (const char* name : {"served-model-name", "model"}) {
    if (!settings.text(name).empty()) return settings.text(name);
  }
  SERAPH_ASSIGN_OR_RETURN(const std::string body, http_get(plan.target, "/v1/models", plan.api_key));
  SERAPH_ASSIGN_OR_RETURN(const Json models, Json::parse(body));
  const Json* data = models.find("data");
  if (data != nullptr && data->is_array() && !data->as_array().empty()) {
    const Json* id = data->as_array().front().find("id");
    if (id != nullptr && id->is_string()) return id->as_string();
  }
  return Error{ErrorCode::kUnavailable, "the server names no model at /v1/models", "give --model"};
}

Result<double> number_of(const char* option, const std::string& text) {
  if (text == "inf") return std::numeric_limits<double>::infinity();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && value > 0) return value;
  return Error{ErrorCode::kInvalidArgument, fmt::format("argument --{}: '{}' is no positive number", option, text)};
}

std::string local_time(const char* format) {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  localtime_r(&now, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof(text), format, &parts));
}

Status save_result(const Settings& settings, const BenchReport& report, const std::string& model) {
  const std::string date = local_time("%Y%m%d-%H%M%S");
  const std::string backend = settings.text("endpoint").ends_with("chat/completions") ? "openai-chat" : "openai";
  const int64_t concurrency = settings.number("max-concurrency");
  Json out(Json::Object{});
  out.set("date", date);
  out.set("backend", backend);
  out.set("model_id", model);
  out.set("tokenizer_id", model);
  out.set("num_prompts", settings.number("num-prompts"));
  for (const std::string& pair : settings.list("metadata")) {
    const size_t equals = pair.find('=');
    if (equals != std::string::npos) out.set(pair.substr(0, equals), pair.substr(equals + 1));
  }
  out.set("request_rate", settings.text("request-rate"));
  out.set("max_concurrency", concurrency > 0 ? Json(concurrency) : Json());
  const Json figures = bench_result(report);
  for (const auto& [name, value] : figures.as_object()) out.set(name, value);

  std::string file_name = settings.text("result-filename");
  if (file_name.empty()) {
    const std::string limit = concurrency > 0 ? fmt::format("-concurrency{}", concurrency) : "";
    const std::string base = model.substr(model.find_last_of('/') + 1);
    file_name = fmt::format("{}-{}qps{}-{}-{}.json", backend, settings.text("request-rate"), limit, base, date);
  }
  const std::string path = settings.text("result-dir") + "/" + file_name;
  std::ofstream file(path);
  file << out.dump() << "\n";
  if (!file.flush()) {
    return Error{ErrorCode::kIo, fmt::format("the result file {} cannot be written", path), "check --result-dir"};
  }
  return {};
}

Status bench(const Settings& settings) {
  LoadPlan plan;
  SERAPH_ASSIGN_OR_RETURN(plan.target, target_of(settings));
  plan.endpoint = settings.text("endpoint");
  plan.api_key = settings.text("api-key");
  plan.max_concurrency = static_cast<int>(settings.number("max-concurrency"));
  SERAPH_ASSIGN_OR_RETURN(const double rate, number_of("request-rate", settings.text("request-rate")));
  std::vector<double> percents;
  for (const std::string& text : settings.list("metric-percentiles")) {
    SERAPH_ASSIGN_OR_RETURN(const double percent, number_of("metric-percentiles", text));
    percents.push_back(std::min(percent, 100.0));
  }
  SERAPH_ASSIGN_OR_RETURN(const std::string model, model_of(settings, plan));
  const auto seed = static_cast<uint64_t>(settings.number("seed"));
  plan.bodies = make_random_bodies(RandomDataset{.num_prompts = settings.number("num-prompts"),
                                                 .input_tokens = settings.number("random-input-len"),
                                                 .output_tokens = settings.number("random-output-len"),
                                                 .prefix_tokens = settings.number("random-prefix-len"),
                                                 .range_ratio = settings.real("random-range-ratio"),
                                                 .seed = seed},
                                   BenchBody{.chat = plan.endpoint.ends_with("chat/completions"),
                                             .model = model,
                                             .ignore_eos = settings.flag("ignore-eos"),
                                             .set_temperature = settings.at("temperature").set,
                                             .temperature = settings.real("temperature")});
  plan.starts_us = make_arrivals(settings.number("num-prompts"), rate, seed);

  const MonotonicUs begin_us = now_us();
  SERAPH_ASSIGN_OR_RETURN(const auto samples, run_load(plan));
  const double duration_s = static_cast<double>(now_us() - begin_us) * 1e-6;
  const BenchReport report = make_bench_report(samples, duration_s, settings.list("percentile-metrics"), percents);
  fmt::print("{}", bench_table(report, plan.max_concurrency, rate));
  if (settings.flag("save-result")) SERAPH_RETURN_IF_ERROR(save_result(settings, report, model));
  for (const BenchSample& sample : samples) {
    if (sample.ok) continue;
    return Error{ErrorCode::kUnavailable,
                 fmt::format("{} requests failed, the first with: {}", report.failed, sample.error)};
  }
  return {};
}

}  // namespace

OptionTable bench_options() {
  OptionTable table;
  table.command = "bench";
  table.positional = "base-url";
  table.add(kBenchOptions);
  return table;
}

int run_bench(const Args& args) {
  const OptionTable table = bench_options();
  if (asks_for_help(args)) {
    fmt::print("{}", table_help(table, false));
    return 0;
  }
  // vLLM says `bench serve`; the word costs nothing.
  Args words = args;
  if (!words.empty() && words.front() == "serve") words.erase(words.begin());
  auto settings = resolve_settings(table, Verb::kServe, Sources{words, process_environment});
  if (!settings.ok()) return report_error("bench", settings.error());
  Status status = bench(*settings);
  return status.ok() ? 0 : report_error("bench", status.error());
}

}  // namespace seraph
