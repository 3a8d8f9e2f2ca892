#include "daemon/commands/bench_requests.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace seraph {
namespace {

Json user_messages(const std::string& text) {
  Json part(Json::Object{});
  part.set("type", "text");
  part.set("text", text);
  Json message(Json::Object{});
  message.set("role", "user");
  message.set("content", Json(Json::Array{std::move(part)}));
  return Json(Json::Array{std::move(message)});
}

double rate_at(const BenchArrivals& arrivals, double progress) {
  if (arrivals.ramp_strategy == "linear") {
    return arrivals.ramp_start_per_s + (arrivals.ramp_end_per_s - arrivals.ramp_start_per_s) * progress;
  }
  if (arrivals.ramp_strategy == "exponential") {
    return arrivals.ramp_start_per_s * std::pow(arrivals.ramp_end_per_s / arrivals.ramp_start_per_s, progress);
  }
  return arrivals.requests_per_s;
}

}  // namespace

std::vector<std::string> make_bench_bodies(const std::vector<BenchPrompt>& prompts, const BenchBody& body) {
  std::vector<std::string> bodies;
  for (size_t i = 0; i < prompts.size(); ++i) {
    Json request(Json::Object{});
    request.set("model", body.models[i % body.models.size()]);
    if (body.chat) {
      request.set("messages", user_messages(prompts[i].text));
      request.set("max_completion_tokens", prompts[i].output_tokens);
    } else {
      request.set("prompt", prompts[i].text);
      request.set("repetition_penalty", 1.0);
      request.set("max_tokens", prompts[i].output_tokens);
      request.set("logprobs", body.num_logprobs >= 0 ? Json(body.num_logprobs) : Json());
    }
    request.set("stream", true);
    Json stream_options(Json::Object{});
    stream_options.set("include_usage", true);
    request.set("stream_options", std::move(stream_options));
    if (body.ignore_eos) request.set("ignore_eos", true);
    for (const auto& [name, value] : body.extra) request.set(name, value);
    bodies.push_back(request.dump());
  }
  return bodies;
}

std::vector<int64_t> make_arrivals(int64_t count, const BenchArrivals& arrivals) {
  std::vector<double> starts_s(static_cast<size_t>(count), 0);
  std::mt19937_64 random(arrivals.seed);
  double now_s = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double rate =
        rate_at(arrivals, static_cast<double>(i) / static_cast<double>(std::max<int64_t>(1, count - 1)));
    if (!std::isfinite(rate)) break;
    if (std::isfinite(arrivals.burstiness)) {
      std::gamma_distribution<double> gap_s(arrivals.burstiness, 1 / (rate * arrivals.burstiness));
      now_s += gap_s(random);
    } else {
      now_s += 1 / rate;
    }
    starts_s[static_cast<size_t>(i)] = now_s;
  }
  const bool constant = arrivals.ramp_strategy.empty() && std::isfinite(arrivals.requests_per_s);
  const double stretch = constant && now_s > 0 ? static_cast<double>(count) / arrivals.requests_per_s / now_s : 1;
  std::vector<int64_t> starts_us;
  for (const double start_s : starts_s) starts_us.push_back(std::llround(start_s * stretch * 1e6));
  return starts_us;
}

}  // namespace seraph
