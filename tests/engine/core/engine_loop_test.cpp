#include "engine/engine_loop.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/engine/core/fake_executor.h"
#include "tests/engine/core/loop_harness.h"

namespace seraph {
namespace {

SchedulerLimits small_limits() {
  SchedulerLimits limits;
  limits.num_seqs_max = 4;
  limits.step_tokens_max = 32;
  limits.prompt_logit_rows_max = 4;
  limits.model_tokens_max = 128;
  limits.vocab_size = 50;
  limits.block_tokens = 4;
  limits.num_blocks = 64;
  limits.eos_ids = {2, 3};
  return limits;
}

Request make_request(RequestId id, std::vector<TokenId> prompt, int32_t tokens_max) {
  Request request;
  request.id = id;
  request.prompt_ids = std::move(prompt);
  request.sampling.tokens_max = tokens_max;
  request.sampling.seed = id * 77;
  return request;
}

/// The request alone on an engine with plenty of everything and no cache: the truth that mixed runs must repeat.
Answer run_alone(const Request& request, SchedulerLimits limits) {
  limits.num_seqs_max = 1;
  limits.step_tokens_max = 1000;
  limits.prompt_logit_rows_max = 1000;
  limits.num_blocks = (limits.model_tokens_max + limits.block_tokens - 1) / limits.block_tokens;
  limits.prefix_caching = false;
  FakeExecutor executor({.limits = limits});
  LoopHarness harness(limits, executor);
  harness.submit(request);
  harness.run_until_idle();
  return harness.answers[request.id];
}

void expect_same(const Answer& mixed, const Answer& alone, RequestId id) {
  EXPECT_EQ(mixed.tokens, alone.tokens) << "request " << id;
  EXPECT_EQ(mixed.finish, alone.finish) << "request " << id;
  EXPECT_EQ(mixed.stop_token, alone.stop_token) << "request " << id;
  EXPECT_TRUE(mixed.logprobs == alone.logprobs) << "request " << id;
  EXPECT_TRUE(mixed.prompt_logprobs == alone.prompt_logprobs) << "request " << id;
}

TEST(EngineLoop, GivesEachTokenAndOneFinish) {
  const SchedulerLimits limits = small_limits();
  FakeExecutor executor({.limits = limits});
  LoopHarness harness(limits, executor);
  Request request = make_request(1, {5, 6, 7}, 6);
  request.sampling.ignore_eos = true;
  harness.submit(request);
  harness.run_until_idle();
  const Answer& answer = harness.answers[1];
  EXPECT_EQ(answer.tokens.size(), 6U);
  EXPECT_EQ(answer.finish, FinishReason::kLength);
  EXPECT_EQ(answer.num_finishes, 1);
  EXPECT_EQ(harness.num_open(), 0);
  EXPECT_EQ(harness.stats().generation_tokens, 6);
  EXPECT_EQ(harness.stats().prompt_tokens, 3);
  EXPECT_EQ(harness.stats().kv_blocks_held, 0);
}

TEST(EngineLoop, SleepingStopsStepsAndForgetsTheCacheButChangesNoText) {
  const SchedulerLimits limits = small_limits();
  for (const int32_t in_flight : {1, 2}) {
    FakeExecutor executor({.limits = limits, .steps_in_flight_max = in_flight});
    LoopHarness harness(limits, executor);
    const Request before = make_request(1, {5, 6, 7, 8, 9, 10, 11, 12}, 20);
    harness.submit(before);
    for (int i = 0; i < 6; ++i) harness.round();
    harness.control.sleep_level.store(1);
    harness.run_until_idle();
    const int64_t steps = executor.num_steps;
    const Request during = make_request(2, {5, 6, 7, 8, 9, 10, 11, 12, 13}, 4);
    harness.submit(during);
    harness.run_until_idle();
    EXPECT_EQ(executor.num_steps, steps) << "asleep";
    EXPECT_EQ(harness.stats().kv_blocks_held, 0);
    EXPECT_EQ(harness.stats().kv_blocks_cached, 0);
    EXPECT_FALSE(executor.kv_kept);
    harness.control.sleep_level.store(0);
    harness.run_until_idle();
    EXPECT_TRUE(executor.kv_kept);
    expect_same(harness.answers[1], run_alone(before, limits), 1);
    expect_same(harness.answers[2], run_alone(during, limits), 2);
  }
}

TEST(EngineLoop, PausingStopsStepsAndKeepsWhatRunsInPlace) {
  const SchedulerLimits limits = small_limits();
  for (const int32_t in_flight : {1, 2}) {
    FakeExecutor executor({.limits = limits, .steps_in_flight_max = in_flight});
    LoopHarness harness(limits, executor);
    const Request before = make_request(1, {5, 6, 7, 8, 9, 10, 11, 12}, 20);
    harness.submit(before);
    for (int i = 0; i < 6; ++i) harness.round();
    harness.control.paused.store(true);
    harness.run_until_idle();
    const int64_t steps = executor.num_steps;
    const Request during = make_request(2, {5, 6, 7, 8, 9, 10, 11, 12, 13}, 4);
    harness.submit(during);
    harness.submit(make_request(3, {5, 6}, 4));
    harness.cancel(3);
    harness.run_until_idle();
    EXPECT_EQ(executor.num_steps, steps) << "paused";
    EXPECT_GT(harness.stats().kv_blocks_held, 0);
    EXPECT_EQ(harness.answers[3].finish, FinishReason::kCancelled) << "a cancel is obeyed at once";
    harness.control.paused.store(false);
    harness.run_until_idle();
    expect_same(harness.answers[1], run_alone(before, limits), 1);
    expect_same(harness.answers[2], run_alone(during, limits), 2);
  }
}

TEST(EngineLoop, AResetForgetsWhatThePrefixCacheKnows) {
  const SchedulerLimits limits = small_limits();
  FakeExecutor executor({.limits = limits});
  LoopHarness harness(limits, executor);
  const std::vector<TokenId> prompt = {5, 6, 7, 8, 9, 10, 11, 12, 13};
  for (const RequestId id : {1, 2, 3}) {
    if (id == 3) harness.control.prefix_resets.fetch_add(1);
    harness.submit(make_request(id, prompt, 2));
    harness.run_until_idle();
  }
  EXPECT_EQ(harness.answers[1].num_cached_tokens, 0);
  EXPECT_EQ(harness.answers[2].num_cached_tokens, 8);
  EXPECT_EQ(harness.answers[3].num_cached_tokens, 0);
}

TEST(EngineLoop, WakesTheReaderOnceUntilItDrains) {
  const SchedulerLimits limits = small_limits();
  FakeExecutor executor({.limits = limits});
  LoopHarness harness(limits, executor);
  Request request = make_request(1, {5, 6, 7}, 20);
  request.sampling.ignore_eos = true;
  harness.submit(request);
  for (int i = 0; i < 5; ++i) harness.loop().run_round();
  EXPECT_EQ(harness.num_wakes, 1);
  harness.drain();
  harness.loop().run_round();
  EXPECT_EQ(harness.num_wakes, 2);
}

TEST(EngineLoop, StopsBetweenStepsWhenTheReaderNeverDrains) {
  SchedulerLimits limits = small_limits();
  limits.model_tokens_max = 100000;
  limits.num_blocks = 25001;
  FakeExecutor executor({.limits = limits, .attend = false});
  LoopHarness harness(limits, executor, 1);
  Request request = make_request(1, {5, 6, 7}, 90000);
  request.sampling.ignore_eos = true;
  harness.submit(request);
  int rounds = 0;
  while (harness.loop().run_round()) ASSERT_LT(++rounds, 10000);
  EXPECT_GT(rounds, 64);
  harness.drain();
  EXPECT_TRUE(harness.round());  // room again: the engine goes on
}

TEST(EngineLoop, ADeviceErrorEndsEveryOpenRequestAndStaysForTheNext) {
  for (const int32_t depth : {1, 2}) {
    const SchedulerLimits limits = small_limits();
    FakeExecutor executor({.limits = limits, .steps_in_flight_max = depth});
    executor.fail_at_step = 3;
    LoopHarness harness(limits, executor);
    for (RequestId id = 1; id <= 9; ++id) {
      Request request = make_request(id, {5, 6, 7}, 50);
      request.sampling.ignore_eos = true;
      harness.submit(request);
    }
    harness.run_until_idle();
    for (RequestId id = 1; id <= 9; ++id) {
      EXPECT_EQ(harness.answers[id].finish, FinishReason::kError);
      EXPECT_EQ(harness.answers[id].error, "the device failed: the fake device fell over");
    }
    EXPECT_TRUE(harness.stats().failed);
    harness.submit(make_request(10, {1, 4}, 5));
    harness.run_until_idle();
    EXPECT_EQ(harness.answers[10].finish, FinishReason::kError);
    EXPECT_EQ(harness.num_open(), 0);
  }
}

TEST(EngineLoop, ACancelIsAnsweredInTheNextRoundAndFreesItsBlocks) {
  for (const int32_t depth : {1, 2}) {
    const SchedulerLimits limits = small_limits();
    FakeExecutor executor({.limits = limits, .steps_in_flight_max = depth});
    LoopHarness harness(limits, executor);
    Request request = make_request(1, {5, 6, 7, 8, 9}, 100);
    request.sampling.ignore_eos = true;
    harness.submit(request);
    for (int i = 0; i < 4; ++i) harness.round();
    EXPECT_GT(harness.stats().kv_blocks_held, 0);
    harness.cancel(1);
    harness.cancel(999);
    harness.round();
    EXPECT_EQ(harness.answers[1].finish, FinishReason::kCancelled);
    EXPECT_EQ(harness.scheduler().blocks().num_held(), 0);
    harness.run_until_idle();
    EXPECT_TRUE(harness.scheduler().idle());
  }
}

TEST(EngineLoop, ACancelSubmittedRightAfterItsRequestIsNotLost) {
  const SchedulerLimits limits = small_limits();
  FakeExecutor executor({.limits = limits});
  LoopHarness harness(limits, executor);
  harness.submit(make_request(1, {5, 6, 7}, 100));
  harness.cancel(1);
  harness.run_until_idle();
  EXPECT_EQ(harness.answers[1].finish, FinishReason::kCancelled);
  EXPECT_TRUE(harness.answers[1].tokens.empty());
}

TEST(EngineLoop, PromptLogprobsComeWithTheFirstTokenOnePerPositionAfterTheFirst) {
  const SchedulerLimits limits = small_limits();
  FakeExecutor executor({.limits = limits});
  LoopHarness harness(limits, executor);
  Request request = make_request(1, {5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, 2);
  request.sampling.num_prompt_logprobs = 1;
  harness.submit(request);
  harness.run_until_idle();
  const std::vector<PositionLogprobs>& rows = harness.answers[1].prompt_logprobs;
  ASSERT_EQ(rows.size(), 10U);
  EXPECT_TRUE(rows[0].empty());
  for (size_t i = 1; i < rows.size(); ++i) {
    ASSERT_EQ(rows[i].size(), 2U);
    EXPECT_EQ(rows[i][0].id, static_cast<TokenId>(5 + i));
  }
  expect_same(harness.answers[1], run_alone(request, limits), 1);
}

TEST(EngineLoop, ShutdownCancelsWhatIsOpen) {
  const SchedulerLimits limits = small_limits();
  FakeExecutor executor({.limits = limits});
  LoopHarness harness(limits, executor);
  for (RequestId id = 1; id <= 6; ++id) harness.submit(make_request(id, {5, 6, 7}, 100));
  harness.loop().run_round();
  harness.submit(make_request(7, {5, 6, 7}, 100));
  harness.loop().cancel_all();
  harness.drain();
  for (RequestId id = 1; id <= 7; ++id) EXPECT_EQ(harness.answers[id].num_finishes, 1) << id;
}

// The promise: a request's text does not depend on its mates, on chunks, the cache, preemption, cancellation of others,
// the order of arrival, or how many steps are in flight.
class Mixture {
 public:
  explicit Mixture(uint64_t seed) : random_(seed) {
    limits_ = small_limits();
    limits_.num_seqs_max = pick(1, 6);
    limits_.step_tokens_max = pick(limits_.num_seqs_max, 40);
    limits_.prompt_logit_rows_max = pick(1, 8);
    limits_.block_tokens = pick(1, 4) * 2;
    limits_.model_tokens_max = 64;
    const int32_t alone = (limits_.model_tokens_max + limits_.block_tokens - 1) / limits_.block_tokens;
    limits_.num_blocks = pick(alone, alone * 3);
    limits_.prefix_caching = pick(0, 3) > 0;
    limits_.host_blocks = pick(0, 2) == 0 ? 0 : pick(1, alone * 2);
    limits_.preemption = static_cast<Preemption>(pick(0, 2));
    limits_.swap_block_ns = pick(0, 2000);
    if (pick(0, 1) == 1) limits_.keys_depend_on_prompt = [](int32_t prompt_tokens) { return prompt_tokens > 20; };
    depth_ = pick(1, 3);
    for (int32_t i = pick(3, 14); i > 0; --i) requests_.push_back(random_request());
  }

  void run() {
    FakeExecutor executor({.limits = limits_, .steps_in_flight_max = depth_});
    LoopHarness harness(limits_, executor);
    std::vector<RequestId> cancelled;
    size_t next = 0;
    int rounds = 0;
    for (bool worked = true; worked || next < requests_.size();) {
      while (next < requests_.size() && pick(0, 2) == 0) harness.submit(requests_[next++]);
      if (next > 0 && pick(0, 30) == 0) {
        cancelled.push_back(requests_[static_cast<size_t>(pick(0, static_cast<int32_t>(next) - 1))].id);
        harness.cancel(cancelled.back());
      }
      worked = harness.round();
      harness.scheduler().check_integrity();
      ASSERT_LT(++rounds, 20000) << "the engine hangs";
    }
    preemptions = harness.stats().num_preemptions;
    swaps = harness.stats().num_swaps;
    hits = harness.stats().prefix_hits_tokens;
    EXPECT_EQ(harness.num_open(), 0);
    for (const Request& request : requests_) {
      const Answer& answer = harness.answers[request.id];
      ASSERT_EQ(answer.num_finishes, 1) << "request " << request.id;
      const Answer alone = run_alone(request, limits_);
      if (answer.finish == FinishReason::kCancelled) {
        EXPECT_NE(std::find(cancelled.begin(), cancelled.end(), request.id), cancelled.end());
        ASSERT_LE(answer.tokens.size(), alone.tokens.size());
        EXPECT_TRUE(std::equal(answer.tokens.begin(), answer.tokens.end(), alone.tokens.begin()));
      } else {
        expect_same(answer, alone, request.id);
      }
    }
  }

  int64_t preemptions = 0;
  int64_t swaps = 0;
  int64_t hits = 0;

 private:
  int32_t pick(int32_t low, int32_t high) { return std::uniform_int_distribution<int32_t>(low, high)(random_); }

  Request random_request() {
    Request request;
    request.id = ++last_id_;
    // Prompts are cut from three texts, so that prefixes recur.
    const auto text = static_cast<uint64_t>(pick(0, 2));
    for (int32_t i = pick(1, 50); i > 0; --i) {
      request.prompt_ids.edit().push_back(static_cast<TokenId>(mix(text, request.prompt_ids.size()) % 50));
    }
    if (pick(0, 3) == 0) request.prompt_ids.edit().back() = pick(0, 49);
    SamplingParams& sampling = request.sampling;
    sampling.seed = static_cast<uint64_t>(pick(0, 1000));
    sampling.tokens_max = pick(1, 60);
    sampling.tokens_min = pick(0, 3) == 0 ? pick(0, sampling.tokens_max) : 0;
    sampling.ignore_eos = pick(0, 2) == 0;
    if (pick(0, 2) == 0) sampling.stop_token_ids = {pick(0, 49), pick(0, 49)};
    if (pick(0, 3) == 0) sampling.repetition_penalty = 1.25F;
    if (pick(0, 2) == 0) sampling.num_logprobs = pick(0, 3);
    if (pick(0, 4) == 0) sampling.num_prompt_logprobs = pick(0, 2);
    request.priority = pick(-1, 1);
    if (pick(0, 3) == 0) request.cache_salt[3] = static_cast<uint8_t>(pick(0, 2));
    return request;
  }

  std::mt19937_64 random_;
  SchedulerLimits limits_;
  int32_t depth_ = 1;
  std::vector<Request> requests_;
  RequestId last_id_ = 0;
};

TEST(EngineLoop, ARequestsTextNeverDependsOnTheOthers) {
  int64_t preemptions = 0;
  int64_t swaps = 0;
  int64_t hits = 0;
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Mixture mixture(seed);
    mixture.run();
    preemptions += mixture.preemptions;
    swaps += mixture.swaps;
    hits += mixture.hits;
    if (HasFailure()) return;
  }
  // Otherwise the test would prove less than it says.
  EXPECT_GT(preemptions, 100);
  EXPECT_GT(swaps, 100);
  EXPECT_GT(hits, 1000);
}

}  // namespace
}  // namespace seraph
