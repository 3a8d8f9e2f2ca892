// A client of a whole Engine, on its own thread as the loop is: submits, waits for wake-ups, keeps the answers.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/engine.h"
#include "tests/engine/core/loop_harness.h"

namespace seraph {

class EngineClient {
 public:
  explicit EngineClient(const EngineOptions& options) {
    Result<std::unique_ptr<Engine>> made = Engine::make(options, [this] {
      const std::lock_guard<std::mutex> lock(mutex_);
      woken_ = true;
      signal_.notify_one();
    });
    SERAPH_CHECK(made.ok(), "the tiny checkpoint loads");
    engine = std::move(*made);
  }

  void submit(const Request& request) {
    ++num_open_;
    ASSERT_TRUE(engine->submit(std::make_unique<Request>(request)).ok());
  }

  /// Waits for the next batch of events. A lost wake-up fails the test instead of hanging it.
  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    ASSERT_TRUE(signal_.wait_for(lock, std::chrono::seconds(60), [this] { return woken_; }));
    woken_ = false;
    lock.unlock();
    std::vector<Event> events;
    engine->drain_events(events);
    for (Event& event : events) record(event);
  }
  void wait_for_all() {
    while (num_open_ > 0 && !testing::Test::HasFatalFailure()) wait();
  }

  std::map<RequestId, Answer> answers;
  std::unique_ptr<Engine> engine;

 private:
  void record(Event& event) {
    Answer& answer = answers[event.id];
    EXPECT_EQ(answer.num_finishes, 0);
    if (event.token >= 0) answer.tokens.push_back(event.token);
    if (event.logprobs) answer.logprobs.push_back(std::move(*event.logprobs));
    if (event.prompt_logprobs) answer.prompt_logprobs = std::move(*event.prompt_logprobs);
    if (event.error) answer.error = *event.error;
    if (event.pooled) answer.pooled = *event.pooled;
    answer.num_cached_tokens = event.num_cached_tokens;
    if (event.finish == FinishReason::kNone) return;
    answer.finish = event.finish;
    ++answer.num_finishes;
    --num_open_;
  }

  int64_t num_open_ = 0;
  std::mutex mutex_;
  std::condition_variable signal_;
  bool woken_ = false;
};

}  // namespace seraph
