// `seraph bench latency` and `seraph bench throughput`: an engine in this process, without HTTP.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <unordered_map>

#include "daemon/commands/bench.h"
#include "daemon/commands/bench_dataset.h"
#include "daemon/commands/bench_progress.h"
#include "daemon/commands/bench_report.h"
#include "daemon/commands/server_settings.h"
#include "engine/base/clock.h"
#include "engine/engine.h"

namespace seraph {
namespace {

constexpr double kPercents[] = {10, 25, 50, 75, 90, 99};

/// An engine and the wake-up that its thread sends. Used by one thread.
class EngineBench {
 public:
  static Result<std::unique_ptr<EngineBench>> make(const EngineOptions& options, const std::string& tokenizer_dir,
                                                   bool detokenize) {
    auto out = std::make_unique<EngineBench>();
    SERAPH_ASSIGN_OR_RETURN(out->tokenizer_, Tokenizer::load(tokenizer_dir));
    out->detokenize_ = detokenize;
    EngineBench* self = out.get();
    SERAPH_ASSIGN_OR_RETURN(out->engine_, Engine::make(options, [self] { self->wake(); }));
    return out;
  }

  const Engine& engine() const { return *engine_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }

  /// Runs the prompts, `choices` times each, to their full length; the seconds that it took. Errors: the engine's.
  Result<double> run(const std::vector<std::vector<TokenId>>& prompts, const std::vector<int32_t>& lengths,
                     int64_t choices, ProgressBar* bar) {
    open_.clear();
    int64_t num_done = 0;
    const MonotonicUs begin_us = now_us();
    for (size_t i = 0; i < prompts.size(); ++i) {
      for (int64_t choice = 0; choice < choices; ++choice) {
        SERAPH_RETURN_IF_ERROR(submit(prompts[i], lengths[i], static_cast<uint32_t>(choice), num_done));
      }
    }
    while (!open_.empty()) {
      SERAPH_RETURN_IF_ERROR(take_events(num_done));
      if (bar != nullptr) bar->show(num_done / choices);
    }
    return static_cast<double>(now_us() - begin_us) * 1e-6;
  }

 private:
  void wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    wakeup_.notify_one();
  }

  /// A full ring is emptied by taking events, as the server's loop would.
  Status submit(const std::vector<TokenId>& prompt, int32_t length, uint32_t choice, int64_t& num_done) {
    const RequestId id = ++last_id_;
    open_.emplace(id, detokenize_ ? std::make_unique<Detokenizer>(*tokenizer_, true) : nullptr);
    while (true) {
      auto request = std::make_unique<Request>();
      request->id = id;
      request->prompt_ids = prompt;
      request->sampling.seed = id;
      request->sampling.choice = choice;
      request->sampling.tokens_max = length;
      request->sampling.ignore_eos = true;
      request->arrived_us = now_us();
      const Status status = engine_->submit(std::move(request));
      if (status.ok()) return {};
      if (status.error().code != ErrorCode::kResourceExhausted || open_.size() == 1) return status.error();
      SERAPH_RETURN_IF_ERROR(take_events(num_done));
    }
  }

  Status take_events(int64_t& num_done) {
    {
      std::unique_lock lock(mutex_);
      wakeup_.wait(lock, [this] { return woken_; });
      woken_ = false;
    }
    events_.clear();
    engine_->drain_events(events_);
    for (const Event& event : events_) {
      const auto found = open_.find(event.id);
      if (found == open_.end()) continue;
      if (event.token >= 0 && found->second != nullptr) found->second->push(event.token, text_);
      text_.clear();
      if (event.finish == FinishReason::kNone) continue;
      if (event.finish == FinishReason::kError || event.finish == FinishReason::kCancelled) {
        return Error{ErrorCode::kInternal, event.error != nullptr ? *event.error : "the engine cancelled a request"};
      }
      open_.erase(found);
      ++num_done;
    }
    return {};
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  bool detokenize_ = true;
  std::mutex mutex_;
  std::condition_variable wakeup_;
  bool woken_ = false;  // guarded by mutex_
  std::unordered_map<RequestId, std::unique_ptr<Detokenizer>> open_;
  std::vector<Event> events_;
  std::string text_;
  RequestId last_id_ = 0;
  std::unique_ptr<Engine> engine_;  // last: its thread calls wake()
};

Result<std::unique_ptr<EngineBench>> make_bench(const Settings& settings, bool prefix_caching) {
  SERAPH_ASSIGN_OR_RETURN(ServerSettings server, make_server_settings(Verb::kServe, settings));
  server.engine.enable_prefix_caching = prefix_caching;
  return EngineBench::make(server.engine, server.tokenizer_dir, !settings.flag("disable-detokenize"));
}

Status check_length(const EngineBench& bench, int64_t input, int64_t output) {
  const int64_t limit = bench.engine().info().max_model_len;
  if (input + output <= limit) return {};
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("{} input and {} output tokens do not fit into a context of {}", input, output, limit),
               "lower --input-len and --output-len, or raise --max-model-len"};
}

/// The context must hold every prompt with its answer, else the figures would be of another load than asked for.
Status check_lengths(const EngineBench& bench, const std::vector<std::vector<TokenId>>& prompts,
                     const std::vector<int32_t>& lengths) {
  for (size_t i = 0; i < prompts.size(); ++i) {
    SERAPH_RETURN_IF_ERROR(check_length(bench, static_cast<int64_t>(prompts[i].size()), lengths[i]));
  }
  return {};
}

Json latency_json(const std::string& model, const std::vector<double>& seconds, double mean) {
  Json percentiles(Json::Object{});
  for (const double percent : kPercents) percentiles.set(fmt::format("{:g}", percent), percentile(seconds, percent));
  Json out(Json::Object{});
  out.set("model_id", model);
  out.set("avg_latency", mean);
  out.set("latencies", Json(Json::Array(seconds.begin(), seconds.end())));
  out.set("percentiles", std::move(percentiles));
  return out;
}

}  // namespace

Status bench_latency(const Settings& settings) {
  // Rounds repeat their prompts; a cached prefix would make all but the first cheap.
  const Setting& caching = settings.at("enable-prefix-caching");
  SERAPH_ASSIGN_OR_RETURN(const auto bench, make_bench(settings, caching.origin != Origin::kDefault && caching.flag));
  const int64_t input = settings.number("input-len");
  const int64_t output = settings.number("output-len");
  SERAPH_RETURN_IF_ERROR(check_length(*bench, input, output));
  std::mt19937_64 random(static_cast<uint64_t>(settings.number("seed")));
  const auto vocab = static_cast<uint64_t>(bench->engine().info().vocab_size);
  std::vector<std::vector<TokenId>> prompts(static_cast<size_t>(settings.number("batch-size")));
  for (auto& prompt : prompts) {
    for (int64_t i = 0; i < input; ++i) prompt.push_back(static_cast<TokenId>(random() % vocab));
  }
  const std::vector<int32_t> lengths(prompts.size(), static_cast<int32_t>(output));

  fmt::print("Warming up...\n");
  std::fflush(stdout);
  for (int64_t i = 0; i < settings.number("num-iters-warmup"); ++i) {
    SERAPH_RETURN_IF_ERROR(bench->run(prompts, lengths, settings.number("n"), nullptr));
  }
  std::vector<double> seconds;
  {
    ProgressBar bar(settings.number("num-iters"), true);
    for (int64_t i = 0; i < settings.number("num-iters"); ++i) {
      SERAPH_ASSIGN_OR_RETURN(const double round_s, bench->run(prompts, lengths, settings.number("n"), nullptr));
      seconds.push_back(round_s);
      bar.show(i + 1);
    }
  }
  const double mean = std::accumulate(seconds.begin(), seconds.end(), 0.0) / static_cast<double>(seconds.size());
  fmt::print("Avg latency: {} seconds\n", mean);
  for (const double percent : kPercents) {
    fmt::print("{:g}% percentile latency: {} seconds\n", percent, percentile(seconds, percent));
  }
  const std::string& path = settings.text("output-json");
  return path.empty() ? Status()
                      : write_result_file(path, latency_json(settings.text("model"), seconds, mean).dump(), false);
}

Status bench_throughput(const Settings& settings) {
  SERAPH_ASSIGN_OR_RETURN(const auto bench, make_bench(settings, settings.flag("enable-prefix-caching")));
  SERAPH_ASSIGN_OR_RETURN(const auto texts, make_bench_prompts(bench_dataset_of(settings), &bench->tokenizer()));
  std::vector<std::vector<TokenId>> prompts;
  std::vector<int32_t> lengths;
  int64_t prompt_tokens = 0;
  int64_t output_tokens = 0;
  const int64_t choices = settings.number("n");
  for (const BenchPrompt& text : texts) {
    prompts.push_back(bench->tokenizer().encode(text.text, true));
    lengths.push_back(static_cast<int32_t>(text.output_tokens));
    prompt_tokens += static_cast<int64_t>(prompts.back().size());
    output_tokens += text.output_tokens * choices;
  }
  SERAPH_RETURN_IF_ERROR(check_lengths(*bench, prompts, lengths));
  if (const int64_t warmups = settings.number("num-warmups"); warmups > 0) {
    const auto count = static_cast<size_t>(warmups);
    SERAPH_RETURN_IF_ERROR(
        bench->run(std::vector(count, prompts.front()), std::vector(count, lengths.front()), 1, nullptr));
  }
  ProgressBar bar(static_cast<int64_t>(prompts.size()), true);
  SERAPH_ASSIGN_OR_RETURN(const double seconds, bench->run(prompts, lengths, choices, &bar));
  const auto rate = [&](int64_t count) { return static_cast<double>(count) / seconds; };
  const auto num_requests = static_cast<int64_t>(prompts.size());
  fmt::print("Throughput: {:.2f} requests/s, {:.2f} total tokens/s, {:.2f} output tokens/s\n", rate(num_requests),
             rate(prompt_tokens + output_tokens), rate(output_tokens));
  fmt::print("Total num prompt tokens:  {}\nTotal num output tokens:  {}\n", prompt_tokens, output_tokens);
  const std::string& path = settings.text("output-json");
  if (path.empty()) return {};
  Json out(Json::Object{});
  out.set("model_id", settings.text("model"));
  out.set("elapsed_time", seconds);
  out.set("num_requests", num_requests);
  out.set("total_num_tokens", prompt_tokens + output_tokens);
  out.set("requests_per_second", rate(num_requests));
  out.set("tokens_per_second", rate(prompt_tokens + output_tokens));
  return write_result_file(path, out.dump(), false);
}

}  // namespace seraph
