#include "daemon/commands/bench_requests.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace seraph {
namespace {

// Words that nearly every tokenizer keeps whole after a space, so that words and tokens agree closely.
constexpr const char* kWords[] = {"the",   "time",  "people", "water", "year",  "world", "hand",  "house",
                                  "place", "work",  "night",  "point", "home",  "room",  "group", "fact",
                                  "money", "story", "month",  "book",  "right", "study", "word",  "side",
                                  "kind",  "head",  "door",   "hour",  "game",  "line",  "city",  "name",
                                  "team",  "mind",  "body",   "back",  "road",  "face",  "level", "car"};

std::string random_words(std::mt19937_64& random, int64_t count) {
  std::string text;
  for (int64_t i = 0; i < count; ++i) {
    if (i > 0) text += ' ';
    text += kWords[random() % std::size(kWords)];
  }
  return text;
}

int64_t draw_length(std::mt19937_64& random, int64_t wanted, double ratio) {
  const auto low = static_cast<int64_t>(std::floor(static_cast<double>(wanted) * (1 - ratio)));
  const auto high = static_cast<int64_t>(std::ceil(static_cast<double>(wanted) * (1 + ratio)));
  const auto span = static_cast<uint64_t>(high - low + 1);
  return std::max<int64_t>(1, low + static_cast<int64_t>(random() % span));
}

}  // namespace

std::vector<std::string> make_random_bodies(const RandomDataset& dataset, const BenchBody& body) {
  std::mt19937_64 random(dataset.seed);
  const std::string prefix = random_words(random, dataset.prefix_tokens);
  std::vector<std::string> bodies;
  for (int64_t i = 0; i < dataset.num_prompts; ++i) {
    std::string text = prefix.empty() ? "" : prefix + " ";
    text += random_words(random, draw_length(random, dataset.input_tokens, dataset.range_ratio));
    const int64_t answer = draw_length(random, dataset.output_tokens, dataset.range_ratio);
    Json request(Json::Object{});
    request.set("model", body.model);
    if (body.chat) {
      Json message(Json::Object{});
      message.set("role", "user");
      message.set("content", text);
      Json::Array messages;
      messages.push_back(std::move(message));
      request.set("messages", Json(std::move(messages)));
    } else {
      request.set("prompt", text);
    }
    request.set(body.chat ? "max_completion_tokens" : "max_tokens", answer);
    request.set("stream", true);
    Json stream_options(Json::Object{});
    stream_options.set("include_usage", true);
    request.set("stream_options", std::move(stream_options));
    if (body.set_temperature) request.set("temperature", body.temperature);
    if (body.ignore_eos) request.set("ignore_eos", true);
    bodies.push_back(request.dump());
  }
  return bodies;
}

std::vector<int64_t> make_arrivals(int64_t count, double requests_per_s, uint64_t seed) {
  std::vector<int64_t> starts_us(static_cast<size_t>(count), 0);
  if (!std::isfinite(requests_per_s) || requests_per_s <= 0) return starts_us;
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> gap_s(requests_per_s);
  double now_s = 0;
  for (int64_t& start_us : starts_us) {
    start_us = std::llround(now_s * 1e6);
    now_s += gap_s(random);
  }
  return starts_us;
}

}  // namespace seraph
