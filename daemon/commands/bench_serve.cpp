// `seraph bench serve`: options to a load, the load to figures, the figures to the terminal and a file.
#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <random>
#include <thread>

#include "daemon/commands/bench.h"
#include "daemon/commands/bench_dataset.h"
#include "daemon/commands/bench_load.h"
#include "daemon/commands/bench_progress.h"
#include "daemon/commands/bench_report.h"
#include "daemon/commands/bench_requests.h"
#include "engine/base/clock.h"

namespace seraph {
namespace {

constexpr auto kReadyPause = std::chrono::seconds(1);
constexpr size_t kErrorsShown = 10;

Error wrong(std::string message, std::string remedy = "") {
  return Error{ErrorCode::kInvalidArgument, std::move(message), std::move(remedy)};
}

struct Endpoint {
  std::string backend;
  std::string path;
  bool chat() const { return path.ends_with("chat/completions"); }
};

/// Backend and endpoint say the same thing twice: one gives the other, and they may not contradict.
Result<Endpoint> endpoint_of(const Settings& settings) {
  Endpoint out{.backend = settings.text("backend"), .path = settings.text("endpoint")};
  if (out.path.empty()) out.path = out.backend == "openai-chat" ? "/v1/chat/completions" : "/v1/completions";
  if (out.backend.empty()) out.backend = out.chat() ? "openai-chat" : "openai";
  if (out.chat() != (out.backend == "openai-chat")) {
    return wrong(fmt::format("--backend {} does not speak to {}", out.backend, out.path),
                 "openai-chat goes with /v1/chat/completions, openai and vllm with /v1/completions");
  }
  return out;
}

Result<HttpTarget> target_of(const Settings& settings) {
  if (const std::string& url = settings.text("base-url"); !url.empty()) return parse_http_url(url);
  return HttpTarget{.host = settings.text("host"), .port = static_cast<int>(settings.number("port"))};
}

struct MeasuredModel {
  std::string name;  // as requests say it
  std::string root;  // where the server says that its files are; may be a folder of this machine, or ""
};

Result<MeasuredModel> model_of(const Settings& settings, const LoadPlan& plan) {
  for (const char* name : {"served-model-name", "model"}) {
    if (!settings.text(name).empty()) return MeasuredModel{settings.text(name), settings.text("model")};
  }
  SERAPH_ASSIGN_OR_RETURN(const std::string body, http_get(plan.target, "/v1/models", plan.api_key));
  SERAPH_ASSIGN_OR_RETURN(const Json models, Json::parse(body));
  const Json* data = models.find("data");
  if (data != nullptr && data->is_array() && !data->as_array().empty()) {
    const Json& card = data->as_array().front();
    const Json *id = card.find("id"), *root = card.find("root");
    if (id != nullptr && id->is_string()) {
      return MeasuredModel{id->as_string(), root != nullptr && root->is_string() ? root->as_string() : ""};
    }
  }
  return Error{ErrorCode::kUnavailable, "the server names no model at /v1/models", "give --model"};
}

/// The tokenizer of --tokenizer, or of the model's own folder when it is on this machine; null when there is none.
Result<std::unique_ptr<Tokenizer>> tokenizer_of(const Settings& settings, const MeasuredModel& model) {
  if (const std::string& folder = settings.text("tokenizer"); !folder.empty()) return Tokenizer::load(folder);
  std::error_code error;
  if (std::filesystem::is_directory(model.root, error)) return Tokenizer::load(model.root);
  fmt::print("No tokenizer: lengths of generated prompts are rough; --tokenizer DIR makes them exact.\n");
  return std::unique_ptr<Tokenizer>();
}

std::vector<std::string> models_of(const Settings& settings, const std::string& model, size_t num_prompts) {
  const auto& adapters = settings.list("lora-modules");
  if (adapters.empty()) return {model};
  if (settings.text("lora-assignment") == "round-robin") return adapters;
  std::mt19937_64 random(static_cast<uint64_t>(settings.number("seed")));
  std::vector<std::string> models;
  for (size_t i = 0; i < num_prompts; ++i) models.push_back(adapters[random() % adapters.size()]);
  return models;
}

Result<Json::Object> extra_of(const Settings& settings) {
  Json out(Json::Object{});
  for (const auto& [option, field] :
       {std::pair{"top-p", "top_p"}, std::pair{"min-p", "min_p"}, std::pair{"temperature", "temperature"},
        std::pair{"frequency-penalty", "frequency_penalty"}, std::pair{"presence-penalty", "presence_penalty"},
        std::pair{"repetition-penalty", "repetition_penalty"}}) {
    if (settings.at(option).set) out.set(field, settings.real(option));
  }
  if (settings.at("top-k").set) out.set("top_k", settings.number("top-k"));
  if (settings.flag("use-beam-search")) out.set("use_beam_search", true);
  if (const Json& kwargs = settings.json("chat-template-kwargs"); !kwargs.is_null()) {
    out.set("chat_template_kwargs", kwargs);
  }
  if (const Json& extra = settings.json("extra-body"); extra.is_object()) {
    for (const auto& [name, value] : extra.as_object()) out.set(name, value);
  } else if (!extra.is_null()) {
    return wrong("argument --extra-body: it is no JSON object");
  }
  return out.as_object();
}

Result<BenchArrivals> arrivals_of(const Settings& settings) {
  BenchArrivals out{.ramp_strategy = settings.text("ramp-up-strategy"),
                    .ramp_start_per_s = settings.real("ramp-up-start-rps"),
                    .ramp_end_per_s = settings.real("ramp-up-end-rps"),
                    .seed = static_cast<uint64_t>(settings.number("seed"))};
  SERAPH_ASSIGN_OR_RETURN(out.requests_per_s, parse_positive("request-rate", settings.text("request-rate")));
  SERAPH_ASSIGN_OR_RETURN(out.burstiness, parse_positive("burstiness", settings.text("burstiness")));
  if (!out.ramp_strategy.empty() && (out.ramp_start_per_s <= 0 || out.ramp_end_per_s <= 0)) {
    return wrong("--ramp-up-strategy needs --ramp-up-start-rps and --ramp-up-end-rps");
  }
  return out;
}

Result<BenchFigures> figures_of(const Settings& settings) {
  BenchFigures out;
  out.metric_keys = settings.list("percentile-metrics");
  SERAPH_RETURN_IF_ERROR(check_metric_keys(out.metric_keys));
  for (const std::string& text : settings.list("metric-percentiles")) {
    SERAPH_ASSIGN_OR_RETURN(const double percent, parse_positive("metric-percentiles", text));
    if (percent > 100) return wrong(fmt::format("argument --metric-percentiles: {} is above 100", text));
    out.percents.push_back(percent);
  }
  SERAPH_ASSIGN_OR_RETURN(out.goodput, parse_goodput(settings.list("goodput")));
  return out;
}

Status set_headers(const Settings& settings, LoadPlan& plan) {
  plan.api_key = settings.text("api-key");
  for (const std::string& pair : settings.list("header")) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || pair.find_first_of("\r\n") != std::string::npos) {
      return wrong(fmt::format("argument --header: '{}' is not KEY=VALUE", pair));
    }
    plan.headers.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  plan.request_id_prefix = settings.text("request-id-prefix");
  if (plan.request_id_prefix.empty()) {
    plan.request_id_prefix = fmt::format("bench-{:08x}-", static_cast<uint32_t>(std::random_device{}()));
  }
  return {};
}

/// `count` times the first request, none after another's time.
LoadPlan first_requests(const LoadPlan& plan, size_t count) {
  LoadPlan out = plan;
  out.bodies.assign(count, plan.bodies.front());
  out.starts_us.assign(count, 0);
  return out;
}

/// One test request until it succeeds or the time is over.
Status wait_until_ready(const LoadPlan& plan, double timeout_s) {
  const MonotonicUs deadline_us = now_us() + static_cast<MonotonicUs>(timeout_s * 1e6);
  while (true) {
    SERAPH_ASSIGN_OR_RETURN(const auto samples, run_load(first_requests(plan, 1)));
    if (samples.front().ok) return {};
    if (now_us() >= deadline_us) {
      return Error{
          ErrorCode::kUnavailable,
          fmt::format("the test request failed for {:g} s, at last with: {}", timeout_s, samples.front().error),
          "check that the server runs and --model is one of its names"};
    }
    std::this_thread::sleep_for(kReadyPause);
  }
}

/// Zeros when the server has no /metrics: that is no reason not to measure.
SpecCounters read_spec_counters(const LoadPlan& plan) {
  const auto text = http_get(plan.target, "/metrics", plan.api_key);
  return text.ok() ? parse_spec_counters(*text) : SpecCounters();
}

std::string local_time(const char* format) {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  localtime_r(&now, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof(text), format, &parts));
}

Json rate_json(double value) { return std::isfinite(value) ? Json(value) : Json("inf"); }

/// What was configured, in vLLM's order; the figures follow.
Json configured_json(const Settings& settings, const Endpoint& endpoint, const std::string& model,
                     const BenchArrivals& arrivals, const std::string& date) {
  const std::string& label = settings.text("label");
  const std::string& tokenizer = settings.text("tokenizer");
  const int64_t concurrency = settings.number("max-concurrency");
  Json out(Json::Object{});
  out.set("date", date);
  out.set("endpoint_type", endpoint.backend);
  out.set("backend", endpoint.backend);
  out.set("label", label.empty() ? Json() : Json(label));
  out.set("model_id", model);
  out.set("tokenizer_id", tokenizer.empty() ? model : tokenizer);
  out.set("num_prompts", settings.number("num-prompts"));
  for (const std::string& pair : settings.list("metadata")) {
    const size_t equals = pair.find('=');
    if (equals != std::string::npos) out.set(pair.substr(0, equals), pair.substr(equals + 1));
  }
  out.set("request_rate", rate_json(arrivals.requests_per_s));
  out.set("burstiness", rate_json(arrivals.burstiness));
  out.set("max_concurrency", concurrency > 0 ? Json(concurrency) : Json());
  return out;
}

std::string result_path(const Settings& settings, const std::string& model, const std::string& name,
                        const std::string& date) {
  std::string file_name = settings.text("result-filename");
  if (file_name.empty()) {
    const int64_t concurrency = settings.number("max-concurrency");
    const std::string limit = concurrency > 0 ? fmt::format("-concurrency{}", concurrency) : "";
    const std::string base = model.substr(model.find_last_of('/') + 1);
    file_name = fmt::format("{}-{}qps{}-{}-{}.json", name, settings.text("request-rate"), limit, base, date);
  }
  const std::string& folder = settings.text("result-dir");
  std::error_code error;  // a folder that cannot be made shows when the file is written
  std::filesystem::create_directories(folder, error);
  return folder + "/" + file_name;
}

Status save_result(const Settings& settings, Json out, const Json& figures, const std::string& path) {
  for (const auto& [name, value] : figures.as_object()) out.set(name, value);
  return write_result_file(path, out.dump(), settings.flag("append-result"));
}

Status first_failure(const std::vector<BenchSample>& samples) {
  size_t shown = 0;
  for (const BenchSample& sample : samples) {
    if (sample.ok || shown == kErrorsShown) continue;
    if (shown == 0)
      fmt::print(stderr, "Failed requests during benchmark run detected (capping to {}):\n", kErrorsShown);
    fmt::print(stderr, "Error {}: {}\n", shown++, sample.error);
  }
  if (shown == 0) return {};
  return Error{ErrorCode::kUnavailable, "not every request was answered"};
}

void announce(const Settings& settings, const BenchArrivals& arrivals) {
  const int64_t concurrency = settings.number("max-concurrency");
  fmt::print("Starting main benchmark run...\n");
  if (arrivals.ramp_strategy.empty()) {
    fmt::print("Traffic request rate: {}\n", settings.text("request-rate"));
  } else {
    fmt::print("Traffic ramp-up strategy: {}, {:g} to {:g} requests/s\n", arrivals.ramp_strategy,
               arrivals.ramp_start_per_s, arrivals.ramp_end_per_s);
  }
  fmt::print("Burstiness factor: {} ({})\n", settings.text("burstiness"),
             arrivals.burstiness == 1 ? "Poisson process" : "Gamma distribution");
  fmt::print("Maximum request concurrency: {}\n", concurrency > 0 ? std::to_string(concurrency) : "None");
  std::fflush(stdout);
}

}  // namespace

Status bench_serve(const Settings& settings) {
  LoadPlan plan;
  SERAPH_ASSIGN_OR_RETURN(const Endpoint endpoint, endpoint_of(settings));
  SERAPH_ASSIGN_OR_RETURN(plan.target, target_of(settings));
  SERAPH_ASSIGN_OR_RETURN(const BenchArrivals arrivals, arrivals_of(settings));
  SERAPH_ASSIGN_OR_RETURN(const BenchFigures figures, figures_of(settings));
  SERAPH_RETURN_IF_ERROR(set_headers(settings, plan));
  plan.endpoint = endpoint.path;
  plan.max_concurrency = static_cast<int>(settings.number("max-concurrency"));
  SERAPH_ASSIGN_OR_RETURN(const MeasuredModel measured, model_of(settings, plan));
  const std::string& model = measured.name;
  SERAPH_ASSIGN_OR_RETURN(const auto tokenizer, tokenizer_of(settings, measured));
  const BenchDataset dataset = bench_dataset_of(settings);
  SERAPH_ASSIGN_OR_RETURN(const auto prompts, make_bench_prompts(dataset, tokenizer.get()));
  SERAPH_ASSIGN_OR_RETURN(Json::Object extra, extra_of(settings));
  plan.bodies = make_bench_bodies(
      prompts, BenchBody{.chat = endpoint.chat(),
                         .models = models_of(settings, model, prompts.size()),
                         .ignore_eos = settings.flag("ignore-eos") || dataset.name == "random",
                         .num_logprobs = settings.at("logprobs").set ? settings.number("logprobs") : -1,
                         .extra = std::move(extra)});
  plan.starts_us = make_arrivals(static_cast<int64_t>(prompts.size()), arrivals);

  if (const double timeout_s = settings.real("ready-check-timeout-sec"); timeout_s > 0) {
    fmt::print("Starting initial single prompt test run...\n");
    std::fflush(stdout);
    SERAPH_RETURN_IF_ERROR(wait_until_ready(plan, timeout_s));
  }
  if (const int64_t warmups = settings.number("num-warmups"); warmups > 0) {
    fmt::print("Warming up with {} requests...\n", warmups);
    std::fflush(stdout);
    SERAPH_RETURN_IF_ERROR(run_load(first_requests(plan, static_cast<size_t>(warmups))));
  }
  announce(settings, arrivals);
  const SpecCounters spec_before = read_spec_counters(plan);
  std::vector<BenchSample> samples;
  const MonotonicUs begin_us = now_us();
  {
    ProgressBar bar(static_cast<int64_t>(prompts.size()), !settings.flag("disable-tqdm"));
    plan.on_progress = [&bar](int64_t done) { bar.show(done); };
    SERAPH_ASSIGN_OR_RETURN(samples, run_load(plan));
  }
  const double duration_s = static_cast<double>(now_us() - begin_us) * 1e-6;
  for (size_t i = 0; i < samples.size(); ++i) {  // a server that sends no usage leaves the client's count
    if (samples[i].prompt_tokens == 0) samples[i].prompt_tokens = prompts[i].input_tokens;
  }
  BenchReport report = make_bench_report(samples, duration_s, figures);
  report.spec = read_spec_counters(plan) - spec_before;
  fmt::print("{}", bench_table(report, plan.max_concurrency, arrivals.requests_per_s));
  if (settings.flag("save-result") || settings.flag("append-result")) {
    const std::string date = local_time("%Y%m%d-%H%M%S");
    const std::string& label = settings.text("label");
    SERAPH_RETURN_IF_ERROR(save_result(settings, configured_json(settings, endpoint, model, arrivals, date),
                                       bench_result(report, samples, settings.flag("save-detailed")),
                                       result_path(settings, model, label.empty() ? endpoint.backend : label, date)));
  }
  return first_failure(samples);
}

}  // namespace seraph
