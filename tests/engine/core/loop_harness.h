// Runs an EngineLoop on the caller's thread, with rings as in the product and any executor: for tests.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "engine/engine_loop.h"

namespace seraph {

/// All that a client sees of one request.
struct Answer {
  std::vector<TokenId> tokens;
  std::vector<PositionLogprobs> logprobs;
  std::vector<PositionLogprobs> prompt_logprobs;
  FinishReason finish = FinishReason::kNone;
  TokenId stop_token = -1;
  int32_t num_cached_tokens = 0;
  int32_t num_finishes = 0;
  std::string error;
  std::vector<float> pooled;
};

inline bool operator==(const TokenLogprob& a, const TokenLogprob& b) {
  return a.id == b.id && a.rank == b.rank && a.logprob == b.logprob;
}

class LoopHarness {
 public:
  LoopHarness(const SchedulerLimits& limits, StepExecutor& executor, size_t ring_slots = 1024)
      : submissions_(ring_slots, doorbell_),
        events_(
            {.drained_max = submissions_.drain_max(), .events_per_step_max = static_cast<size_t>(limits.num_seqs_max)},
            doorbell_),
        loop_({.limits = limits,
               .executor = &executor,
               .submissions = &submissions_,
               .events = &events_,
               .stats = &stats_,
               .control = &control,
               .wake = [this] { ++num_wakes; }}) {}

  void submit(const Request& request) {
    stats_.num_open.fetch_add(1);
    auto copy = std::make_unique<Request>(request);
    SERAPH_CHECK(submissions_.try_submit(copy), "tests submit less than the ring holds");
  }
  void cancel(RequestId id) { submissions_.cancel(id); }

  /// One round and what it published. False: nothing was done.
  bool round() {
    const bool worked = loop_.run_round();
    drain();
    return worked;
  }
  void run_until_idle() {
    while (round()) {
    }
  }
  void drain() {
    std::vector<Event> events;
    events_.drain(events);
    for (Event& event : events) record(event);
  }

  EngineControl control;
  std::map<RequestId, Answer> answers;
  int num_wakes = 0;
  EngineLoop& loop() { return loop_; }
  const Scheduler& scheduler() const { return loop_.scheduler(); }
  EngineStats stats() const { return stats_.load(); }
  int64_t num_open() const { return stats_.num_open.load(); }

 private:
  void record(Event& event) {
    Answer& answer = answers[event.id];
    SERAPH_CHECK(answer.num_finishes == 0, "nothing follows the last event of a request");
    if (event.token >= 0) answer.tokens.push_back(event.token);
    if (event.logprobs) answer.logprobs.push_back(std::move(*event.logprobs));
    if (event.prompt_logprobs) answer.prompt_logprobs = std::move(*event.prompt_logprobs);
    if (event.error) answer.error = *event.error;
    answer.num_cached_tokens = event.num_cached_tokens;
    if (event.finish == FinishReason::kNone) return;
    answer.finish = event.finish;
    answer.stop_token = event.stop_token;
    ++answer.num_finishes;
  }

  Doorbell doorbell_;
  SubmitRing submissions_;
  EventRing events_;
  SharedStats stats_;
  EngineLoop loop_;
};

}  // namespace seraph
