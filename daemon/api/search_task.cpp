#include "daemon/api/search_task.h"

#include <algorithm>

namespace seraph {

bool SearchTask::on_event(size_t sequence, Event& event) {
  if (over()) return true;
  if (event.finish == FinishReason::kError || event.finish == FinishReason::kCancelled) {
    cancel_open();
    // The answer knows how to tell it.
    args_.answer->on_event(0, event);
    return true;
  }
  return take(sequence, event);
}

void SearchTask::remember(size_t sequence, RequestId id) {
  if (requests_.size() <= sequence) requests_.resize(sequence + 1);
  requests_[sequence] = id;
}

std::vector<RequestId> SearchTask::open_requests() const {
  std::vector<RequestId> out;
  for (const RequestId request : requests_) {
    if (request != 0) out.push_back(request);
  }
  return out;
}

void SearchTask::cancel_open() {
  for (const RequestId request : open_requests()) args_.cancel(request);
}

void SearchTask::abandon() {
  if (over()) return;
  cancel_open();
  args_.answer->abandon();
}

void SearchTask::fail(const ApiError& error) {
  if (over()) return;
  cancel_open();
  args_.answer->fail(error);
}

BeamTask::BeamTask(Args args) : SearchTask(std::move(args)) {
  const GenerationParams& params = prepared().params;
  std::vector<TokenId> ends = params.sampling.stop_token_ids.copy();
  if (!params.sampling.ignore_eos) ends.insert(ends.end(), args_.eos_ids.begin(), args_.eos_ids.end());
  for (size_t prompt = 0; prompt < prepared().prompts.size(); ++prompt) {
    searches_.push_back({.beams = BeamSearch({.width = params.n,
                                              .tokens_max = prepared().prompts[prompt].tokens_max,
                                              .length_penalty = params.length_penalty,
                                              .early_stopping = params.early_stopping,
                                              .end_ids = ends})});
    plan_step(prompt);
  }
}

void BeamTask::plan_step(size_t prompt) {
  Search& search = searches_[prompt];
  search.num_missing = search.beams.live().size();
  search.next.assign(search.num_missing, {});
  for (size_t beam = 0; beam < search.num_missing; ++beam) sequences_.emplace_back(prompt, beam);
}

std::unique_ptr<Request> BeamTask::make_request(size_t sequence, RequestId id) {
  const auto [prompt, beam] = sequences_[sequence];
  const Search& search = searches_[prompt];
  const GenerationParams& params = prepared().params;
  std::unique_ptr<Request> request = args_.answer->make_request(prompt * static_cast<size_t>(params.n), id);
  const std::vector<TokenId>& tokens = search.beams.live()[beam].tokens;
  std::vector<TokenId>& ids = request->prompt_ids.edit();
  ids.insert(ids.end(), tokens.begin(), tokens.end());
  const int32_t num_logprobs = std::max(search.beams.candidates(), params.top_logprobs);
  request->sampling = SamplingParams{.temperature = 0, .tokens_max = 1, .num_logprobs = num_logprobs};
  remember(sequence, id);
  return request;
}

bool BeamTask::take(size_t sequence, Event& event) {
  const auto [prompt, beam] = sequences_[sequence];
  Search& search = searches_[prompt];
  if (scheduled_us_ == 0) scheduled_us_ = event.scheduled_us;
  if (search.beams.live().front().tokens.empty()) search.cached_tokens = event.num_cached_tokens;
  if (event.logprobs != nullptr) search.next[beam] = std::move(*event.logprobs);
  forget(sequence);
  if (--search.num_missing > 0) return true;
  search.beams.advance(search.next);
  if (!search.beams.done()) {
    plan_step(prompt);
  } else if (++num_done_ == searches_.size()) {
    play();
  }
  return true;
}

void BeamTask::play() {
  const auto width = static_cast<size_t>(prepared().params.n);
  const MonotonicUs now = now_us();
  for (size_t prompt = 0; prompt < searches_.size(); ++prompt) {
    std::vector<Beam> best = searches_[prompt].beams.take_best();
    // A vocabulary smaller than the width gives fewer; the last one fills up.
    while (best.size() < width) best.push_back(best.back());
    for (size_t i = 0; i < width; ++i) {
      Beam& beam = best[i];
      for (size_t k = 0; k < beam.tokens.size(); ++k) {
        Event event;
        event.token = beam.tokens[k];
        const bool last = k + 1 == beam.tokens.size();
        if (last) event.finish = beam.ended ? FinishReason::kStop : FinishReason::kLength;
        event.num_cached_tokens = searches_[prompt].cached_tokens;
        event.scheduled_us = scheduled_us_;
        event.published_us = now;
        const auto shown = static_cast<size_t>(prepared().params.top_logprobs) + 1;
        PositionLogprobs& logprobs = beam.logprobs[k];
        std::sort(logprobs.begin() + 1, logprobs.end(),
                  [](const TokenLogprob& a, const TokenLogprob& b) { return a.rank < b.rank; });
        logprobs.resize(std::min(logprobs.size(), shown));
        event.logprobs = std::make_unique<PositionLogprobs>(std::move(logprobs));
        args_.answer->on_event(prompt * width + i, event);
      }
    }
  }
}

BestOfTask::BestOfTask(Args args) : SearchTask(std::move(args)) {
  const GenerationParams& params = prepared().params;
  const TextRules rules{.skip_special_tokens = params.skip_special_tokens,
                        .include_stop = params.include_stop,
                        .tokens_min = params.sampling.tokens_min,
                        .stop = &params.stop};
  const auto best_of = static_cast<uint64_t>(params.best_of);
  const size_t count = prepared().prompts.size() * best_of;
  for (size_t i = 0; i < count; ++i) {
    candidates_.emplace_back(*args_.tokenizer, rules);
    seeds_.push_back(params.seeded ? params.sampling.seed + i % best_of : args_.random());
  }
}

std::unique_ptr<Request> BestOfTask::make_request(size_t sequence, RequestId id) {
  const GenerationParams& params = prepared().params;
  const size_t prompt = sequence / static_cast<size_t>(params.best_of);
  std::unique_ptr<Request> request = args_.answer->make_request(prompt * static_cast<size_t>(params.n), id);
  request->sampling.seed = seeds_[sequence];
  request->sampling.num_logprobs = std::max(request->sampling.num_logprobs, 0);
  remember(sequence, id);
  return request;
}

bool BestOfTask::take(size_t sequence, Event& event) {
  Candidate& candidate = candidates_[sequence];
  if (event.logprobs != nullptr) candidate.cumulative += static_cast<double>(event.logprobs->front().logprob);
  std::string unused;
  const bool stops = event.token >= 0 && candidate.text.push(event.token, unused) >= 0;
  const bool done = stops || event.finish != FinishReason::kNone;
  if (stops && event.finish == FinishReason::kNone) args_.cancel(event.id);
  candidate.events.push_back(std::move(event));
  if (!done) return false;
  forget(sequence);
  if (++num_done_ == candidates_.size()) play();
  return true;
}

void BestOfTask::play() {
  const auto best_of = static_cast<size_t>(prepared().params.best_of);
  const auto n = static_cast<size_t>(prepared().params.n);
  for (size_t first = 0; first < candidates_.size(); first += best_of) {
    std::vector<Candidate*> order;
    for (size_t i = 0; i < best_of; ++i) order.push_back(&candidates_[first + i]);
    std::stable_sort(order.begin(), order.end(),
                     [](const Candidate* a, const Candidate* b) { return a->cumulative > b->cumulative; });
    for (size_t i = 0; i < n; ++i) {
      for (Event& event : order[i]->events) args_.answer->on_event(first / best_of * n + i, event);
    }
  }
}

}  // namespace seraph
