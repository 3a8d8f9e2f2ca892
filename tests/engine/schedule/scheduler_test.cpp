#include "engine/schedule/scheduler.h"

#include <gtest/gtest.h>

#include <numeric>

namespace seraph {
namespace {

SchedulerLimits limits_of(int32_t num_seqs_max, int32_t step_tokens_max, int32_t num_blocks) {
  SchedulerLimits limits;
  limits.num_seqs_max = num_seqs_max;
  limits.step_tokens_max = step_tokens_max;
  limits.prompt_logit_rows_max = 8;
  limits.model_tokens_max = 200;
  limits.vocab_size = 1000;
  limits.block_tokens = 4;
  limits.num_blocks = num_blocks;
  limits.eos_ids = {2};
  return limits;
}

std::unique_ptr<Request> make_request(RequestId id, int32_t prompt_tokens, int32_t tokens_max = 50,
                                      TokenId first = 100) {
  auto request = std::make_unique<Request>();
  request->id = id;
  request->prompt_ids.edit().resize(static_cast<size_t>(prompt_tokens));
  std::iota(request->prompt_ids.edit().begin(), request->prompt_ids.edit().end(), first);
  request->sampling.tokens_max = tokens_max;
  return request;
}

/// Plans and commits one step; every draw is `token`.
StepPlan step(Scheduler& scheduler, TokenId token = 7) {
  const StepPlan plan = scheduler.plan_step(1);
  if (!plan.empty()) scheduler.commit_step(std::vector<TokenId>(plan.entries.size(), token));
  return plan;
}

std::vector<RequestId> ids_of(const StepPlan& plan) {
  std::vector<RequestId> ids;
  for (const PlannedSequence& entry : plan.entries) ids.push_back(entry.sequence->request->id);
  return ids;
}

std::vector<int32_t> tokens_of(const StepPlan& plan) {
  std::vector<int32_t> tokens;
  for (const PlannedSequence& entry : plan.entries) tokens.push_back(entry.num_tokens);
  return tokens;
}

using Ids = std::vector<RequestId>;
using Counts = std::vector<int32_t>;

TEST(Scheduler, SharesTheBudgetAmongDecodesThenRunningPrefillsThenNewSequences) {
  Scheduler scheduler(limits_of(8, 10, 100), {1, 2});
  scheduler.add(make_request(1, 3, 50, 100));
  scheduler.add(make_request(2, 15, 50, 300));
  scheduler.add(make_request(3, 5, 50, 500));
  StepPlan plan = step(scheduler);
  EXPECT_EQ(ids_of(plan), (Ids{1, 2}));
  EXPECT_EQ(tokens_of(plan), (Counts{3, 7}));
  plan = step(scheduler);
  EXPECT_EQ(ids_of(plan), (Ids{1, 2, 3}));
  EXPECT_EQ(tokens_of(plan), (Counts{1, 8, 1}));
  plan = step(scheduler);
  EXPECT_EQ(ids_of(plan), (Ids{1, 2, 3}));
  EXPECT_EQ(tokens_of(plan), (Counts{1, 1, 4}));
  EXPECT_TRUE(plan.entries[2].draws);
}

TEST(Scheduler, RunsSmallerPriorityFirstThenFirstComeFirstServed) {
  Scheduler scheduler(limits_of(2, 10, 100), {1, 2});
  scheduler.add(make_request(1, 3, 2));
  scheduler.add(make_request(2, 3, 2));
  auto urgent = make_request(3, 3, 2);
  urgent->priority = -1;
  scheduler.add(std::move(urgent));
  EXPECT_EQ(ids_of(step(scheduler)), (Ids{3, 1}));
  EXPECT_EQ(ids_of(step(scheduler)), (Ids{3, 1}));
  EXPECT_EQ(ids_of(step(scheduler)), (Ids{2}));
}

TEST(Scheduler, PreemptsTheYoungestWhenBlocksRunOutAndComesBackToIt) {
  Scheduler scheduler(limits_of(4, 64, 6), {1, 2});
  scheduler.add(make_request(1, 8, 14, 100));
  scheduler.add(make_request(2, 8, 8, 300));
  EXPECT_EQ(ids_of(step(scheduler)), (Ids{1, 2}));  // 2 + 2 blocks
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ids_of(step(scheduler)), (Ids{1, 2}));
  EXPECT_EQ(ids_of(step(scheduler)), (Ids{1}));  // both need a fourth block, none is left
  EXPECT_EQ(scheduler.num_waiting(), 1);
  EXPECT_EQ(scheduler.stats().num_preemptions, 1);
  bool came_back = false;
  int32_t tokens = 0;
  while (!scheduler.idle()) {
    const StepPlan plan = step(scheduler);
    ASSERT_FALSE(plan.empty());
    for (const PlannedSequence& entry : plan.entries) {
      came_back |= entry.sequence->request->id == 2;
      tokens += entry.draws ? 1 : 0;
    }
  }
  EXPECT_TRUE(came_back);
  EXPECT_EQ(scheduler.stats().generation_tokens, 22);
  scheduler.clear_ended();
  scheduler.check_integrity();
}

TEST(Scheduler, IdenticalPromptsSubmittedTogetherShareBlocks) {
  Scheduler scheduler(limits_of(8, 64, 100), {1, 2});
  for (RequestId id = 1; id <= 3; ++id) scheduler.add(make_request(id, 13));
  const StepPlan plan = step(scheduler);
  EXPECT_EQ(tokens_of(plan), (Counts{13, 1, 1}));
  EXPECT_EQ(plan.entries[1].sequence->cached_tokens, 12);
  EXPECT_EQ(scheduler.blocks().num_held(), 4 + 1 + 1);
  EXPECT_EQ(scheduler.stats().prefix_hits_tokens, 24);
  EXPECT_EQ(scheduler.stats().prefix_queries_tokens, 39);
}

TEST(Scheduler, AFullyCachedPromptStillComputesItsLastToken) {
  Scheduler scheduler(limits_of(8, 64, 100), {1, 2});
  scheduler.add(make_request(1, 12, 1));
  step(scheduler);
  scheduler.add(make_request(2, 12, 1));
  const StepPlan plan = step(scheduler);
  ASSERT_EQ(plan.entries.size(), 1U);
  EXPECT_EQ(plan.entries[0].first_position, 8);
  EXPECT_EQ(plan.entries[0].num_tokens, 4);
}

TEST(Scheduler, SaltsAndPromptDependentKeysSeparateTheCache) {
  SchedulerLimits limits = limits_of(8, 64, 100);
  limits.keys_depend_on_prompt = [](int32_t prompt_tokens) { return prompt_tokens > 20; };
  Scheduler scheduler(limits, {1, 2});
  scheduler.add(make_request(1, 12, 1));
  step(scheduler);
  auto salted = make_request(2, 12, 1);
  salted->cache_salt[15] = 1;
  scheduler.add(std::move(salted));
  EXPECT_EQ(tokens_of(step(scheduler)), (Counts{12}));
  scheduler.add(make_request(3, 24, 1));
  EXPECT_EQ(tokens_of(step(scheduler)), (Counts{24}));
  scheduler.add(make_request(4, 25, 1));
  EXPECT_EQ(tokens_of(step(scheduler)), (Counts{25}));
  scheduler.add(make_request(5, 25, 1));
  EXPECT_EQ(tokens_of(step(scheduler)), (Counts{1}));
}

TEST(Scheduler, NobodyFindsBlocksWhoseLogitsWereNotFinite) {
  Scheduler scheduler(limits_of(8, 64, 100), {1, 2});
  scheduler.add(make_request(1, 12, 1));
  step(scheduler, kAllMasked);
  scheduler.add(make_request(2, 12, 1));
  EXPECT_EQ(tokens_of(step(scheduler, kLogitsNotFinite)), (Counts{4})) << "masks say nothing about the blocks";
  scheduler.add(make_request(3, 12, 1));
  EXPECT_EQ(tokens_of(step(scheduler)), (Counts{12}));
  scheduler.add(make_request(4, 12, 1));
  EXPECT_EQ(tokens_of(step(scheduler)), (Counts{4}));
  scheduler.clear_ended();
  scheduler.check_integrity();
}

TEST(Scheduler, PromptLogprobsBoundTheRowsOfAStepAndIgnoreTheCache) {
  Scheduler scheduler(limits_of(8, 64, 100), {1, 2});
  scheduler.add(make_request(1, 20, 1));
  step(scheduler);
  auto request = make_request(2, 20, 1);
  request->sampling.num_prompt_logprobs = 0;
  scheduler.add(std::move(request));
  StepPlan plan = step(scheduler);
  EXPECT_EQ(tokens_of(plan), (Counts{8}));
  EXPECT_EQ(plan.entries[0].prompt_logprobs_begin, 0);
  EXPECT_EQ(plan.entries[0].prompt_logprobs_end, 8);
  EXPECT_FALSE(plan.entries[0].draws);
  EXPECT_EQ(tokens_of(step(scheduler)), (Counts{8}));
  plan = step(scheduler);
  EXPECT_EQ(tokens_of(plan), (Counts{4}));
  EXPECT_EQ(plan.entries[0].prompt_logprobs_end, 19);
  EXPECT_TRUE(plan.entries[0].draws);
}

TEST(Scheduler, PlansTheNextStepBeforeTheFormerIsCollectedAndLearnsOfEosOneStepLater) {
  SchedulerLimits limits = limits_of(8, 64, 100);
  limits.steps_in_flight_max = 2;
  Scheduler scheduler(limits, {1, 2});
  scheduler.add(make_request(1, 3));
  scheduler.plan_step(1);
  const StepPlan second = scheduler.plan_step(2);
  ASSERT_EQ(second.entries.size(), 1U);
  const Sequence& sequence = *second.entries[0].sequence;
  EXPECT_EQ(second.entries[0].first_position, 3);
  EXPECT_EQ(sequence.tokens.size(), 3U);  // the id at position 3 is on the device
  EXPECT_EQ(sequence.pending_tokens, 2);
  const std::vector<TokenId> eos = {2};
  const Progress progress = scheduler.commit_step(eos)[0];
  EXPECT_EQ(progress.finish, FinishReason::kStop);
  EXPECT_EQ(progress.stop_token, -1);
  EXPECT_EQ(scheduler.blocks().num_held(), 0);
  EXPECT_TRUE(scheduler.plan_step(3).empty());
  scheduler.clear_ended();
  EXPECT_TRUE(scheduler.commit_step(eos).empty());  // the row that was computed in vain
  scheduler.clear_ended();
  EXPECT_TRUE(scheduler.idle());
}

TEST(Scheduler, NeverPlansBeyondTheLengthThatIsInFlight) {
  SchedulerLimits limits = limits_of(8, 64, 100);
  limits.steps_in_flight_max = 3;
  Scheduler scheduler(limits, {1, 2});
  scheduler.add(make_request(1, 3, 2));
  EXPECT_FALSE(scheduler.plan_step(1).empty());
  EXPECT_FALSE(scheduler.plan_step(1).empty());
  EXPECT_TRUE(scheduler.plan_step(1).empty());
}

TEST(Scheduler, StopsAtEosStopIdsAndLengthInThatOrder) {
  const auto run = [](SamplingParams sampling, TokenId token) {
    Scheduler scheduler(limits_of(8, 64, 100), {1, 2});
    auto request = make_request(1, 3);
    request->sampling = std::move(sampling);
    scheduler.add(std::move(request));
    scheduler.plan_step(1);
    const std::vector<TokenId> drawn = {token};
    return scheduler.commit_step(drawn)[0];
  };
  EXPECT_EQ(run({.tokens_max = 9}, 2).finish, FinishReason::kStop);
  EXPECT_EQ(run({.tokens_max = 1, .stop_token_ids = {2}}, 2).stop_token, -1);
  EXPECT_EQ(run({.tokens_max = 9, .ignore_eos = true}, 2).finish, FinishReason::kNone);
  EXPECT_EQ(run({.tokens_max = 9, .ignore_eos = true, .stop_token_ids = {2}}, 2).stop_token, 2);
  EXPECT_EQ(run({.tokens_max = 1, .stop_token_ids = {9}}, 9).finish, FinishReason::kStop);
  EXPECT_EQ(run({.tokens_max = 1}, 9).finish, FinishReason::kLength);
  EXPECT_EQ(run({.tokens_max = 9}, -1).finish, FinishReason::kError);
}

TEST(Scheduler, RefusesWhatCanNeverRun) {
  Scheduler scheduler(limits_of(8, 64, 10), {1, 2});
  scheduler.add(make_request(1, 0));
  scheduler.add(make_request(2, 200));        // model_tokens_max
  scheduler.add(make_request(3, 40));         // ten blocks of four, and no room for an answer
  scheduler.add(make_request(4, 3, 5, 999));  // ids up to 1001
  ASSERT_EQ(scheduler.ended().size(), 4U);
  for (const Ended& ended : scheduler.ended()) {
    EXPECT_EQ(ended.finish, FinishReason::kError);
    EXPECT_FALSE(ended.error.empty());
  }
  EXPECT_EQ(scheduler.num_open(), 0);
}

TEST(Scheduler, ARequestThatOutgrowsTheWholeCacheEndsWithAnErrorAndTheNextRuns) {
  Scheduler scheduler(limits_of(8, 64, 3), {1, 2});
  scheduler.add(make_request(1, 3, 100));
  scheduler.add(make_request(2, 3, 4, 500));
  bool second_ran = false;
  for (int i = 0; i < 60 && !scheduler.idle(); ++i) {
    for (const RequestId id : ids_of(step(scheduler))) second_ran |= id == 2;
  }
  EXPECT_TRUE(scheduler.idle());
  EXPECT_TRUE(second_ran);
  ASSERT_EQ(scheduler.ended().size(), 1U);
  EXPECT_EQ(scheduler.ended()[0].sequence->request->id, 1U);
  EXPECT_EQ(scheduler.ended()[0].finish, FinishReason::kError);
}

TEST(Scheduler, AdmissionLeavesBlocksPromisedToRunningPrefillsAlone) {
  Scheduler scheduler(limits_of(8, 8, 12), {1, 2});
  scheduler.add(make_request(1, 40, 4, 100));  // ten blocks, eight tokens a step
  scheduler.add(make_request(2, 16, 4, 500));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ids_of(step(scheduler)), (Ids{1}));
  EXPECT_EQ(scheduler.stats().num_preemptions, 0);
}

TEST(Scheduler, APoolingRequestEndsWithItsPromptAndMayFillTheContext) {
  SchedulerLimits limits = limits_of(2, 16, 100);
  limits.pooling = true;
  Scheduler scheduler(limits, {1, 2});
  auto request = make_request(1, 200);
  request->pooling = Pooling::kMean;
  scheduler.add(std::move(request));
  for (int32_t done = 0; done < 200; done += 16) {
    const StepPlan plan = scheduler.plan_step(1);
    ASSERT_EQ(plan.entries.size(), 1U);
    EXPECT_EQ(plan.entries[0].draws, done + 16 >= 200);
    const auto progress = scheduler.commit_step(std::vector<TokenId>{0});
    ASSERT_EQ(progress.size(), plan.entries[0].draws ? 1U : 0U);
    if (progress.empty()) continue;
    EXPECT_EQ(progress[0].finish, FinishReason::kStop);
    EXPECT_EQ(progress[0].token, -1);
  }
  scheduler.clear_ended();
  EXPECT_TRUE(scheduler.idle());
  EXPECT_EQ(scheduler.stats().generation_tokens, 0);
  scheduler.check_integrity();
}

TEST(Scheduler, TheMeanOfAPromptReusesNoCachedRows) {
  SchedulerLimits limits = limits_of(2, 64, 100);
  limits.pooling = true;
  Scheduler scheduler(limits, {1, 2});
  for (const Pooling pooling : {Pooling::kLast, Pooling::kLast, Pooling::kMean}) {
    auto request = make_request(1, 20);
    request->pooling = pooling;
    scheduler.add(std::move(request));
    const StepPlan plan = step(scheduler);
    const bool first = scheduler.stats().prefix_hits_tokens == 0;
    EXPECT_EQ(plan.num_tokens, pooling == Pooling::kMean || first ? 20 : 4);
    scheduler.clear_ended();
  }
  EXPECT_EQ(scheduler.stats().prefix_hits_tokens, 16);
}

TEST(Scheduler, RefusesWhatTheModelIsNotFor) {
  Scheduler generates(limits_of(2, 16, 100), {1, 2});
  auto pools = make_request(1, 3);
  pools->pooling = Pooling::kLast;
  generates.add(std::move(pools));
  ASSERT_EQ(generates.ended().size(), 1U);
  EXPECT_EQ(generates.ended()[0].error, "this model generates text, it does not pool");
  SchedulerLimits limits = limits_of(2, 16, 100);
  limits.pooling = true;
  Scheduler pooling(limits, {1, 2});
  pooling.add(make_request(2, 3));
  ASSERT_EQ(pooling.ended().size(), 1U);
  EXPECT_EQ(pooling.ended()[0].error, "this model pools, it does not generate text");
}

std::unique_ptr<Request> with_adapter(std::unique_ptr<Request> request, uint64_t adapter) {
  request->adapter = std::make_shared<const Adapter>(Adapter{.id = adapter});
  return request;
}

SchedulerLimits limits_with_slots(int32_t num_adapter_slots) {
  SchedulerLimits limits = limits_of(8, 32, 100);
  limits.num_adapter_slots = num_adapter_slots;
  return limits;
}

TEST(Scheduler, AStepHasNoMoreAdaptersThanSlots) {
  Scheduler scheduler(limits_with_slots(2), {1, 2});
  scheduler.add(with_adapter(make_request(1, 3, 2), 11));
  scheduler.add(with_adapter(make_request(2, 3, 2), 12));
  scheduler.add(with_adapter(make_request(3, 3, 2), 13));
  scheduler.add(make_request(4, 3, 2));
  scheduler.add(with_adapter(make_request(5, 3, 2), 11));
  StepPlan plan = step(scheduler);
  EXPECT_EQ(ids_of(plan), (Ids{1, 2, 4, 5})) << "who needs no free slot passes";
  ASSERT_EQ(plan.adapter_writes.size(), 2U);
  EXPECT_EQ(plan.adapter_writes[0].adapter->id, 11U);
  EXPECT_EQ(plan.entries[0].sequence->adapter_slot, plan.entries[3].sequence->adapter_slot);
  EXPECT_EQ(plan.entries[2].sequence->adapter_slot, -1);
  plan = step(scheduler);
  EXPECT_EQ(ids_of(plan), (Ids{1, 2, 4, 5}));
  EXPECT_TRUE(plan.adapter_writes.empty());
  plan = step(scheduler);
  EXPECT_EQ(ids_of(plan), (Ids{3}));
  EXPECT_EQ(plan.adapter_writes.size(), 1U);
  step(scheduler);
  EXPECT_TRUE(scheduler.idle());
  scheduler.clear_ended();
  scheduler.check_integrity();
}

TEST(Scheduler, AnAdapterThatWaitsIsNotPassedForEver) {
  Scheduler scheduler(limits_with_slots(1), {1, 2});
  scheduler.add(with_adapter(make_request(1, 3, 2), 11));
  scheduler.add(with_adapter(make_request(2, 3, 2), 12));
  bool ran = false;
  for (RequestId id = 3; id < 300 && !ran; ++id) {
    scheduler.add(with_adapter(make_request(id, 3, 2), 11));
    for (const RequestId each : ids_of(step(scheduler))) ran = ran || each == 2;
    scheduler.clear_ended();
  }
  EXPECT_TRUE(ran);
}

TEST(Scheduler, ASlotIsNotWrittenWhileAStepInFlightNamesIt) {
  SchedulerLimits limits = limits_with_slots(1);
  limits.steps_in_flight_max = 2;
  Scheduler scheduler(limits, {1, 2});
  scheduler.add(with_adapter(make_request(1, 3, 1), 11));
  scheduler.add(with_adapter(make_request(2, 3, 1), 12));
  EXPECT_EQ(ids_of(scheduler.plan_step(1)), (Ids{1}));
  scheduler.cancel(1);
  EXPECT_TRUE(scheduler.plan_step(1).empty());
  scheduler.commit_step(std::vector<TokenId>{7});
  EXPECT_EQ(ids_of(scheduler.plan_step(1)), (Ids{2}));
  scheduler.commit_step(std::vector<TokenId>{7});
}

TEST(Scheduler, AdaptersShareNoPrefixes) {
  SchedulerLimits limits = limits_with_slots(4);
  Scheduler scheduler(limits, {1, 2});
  const auto cached = [&](RequestId id, uint64_t adapter) {
    auto request = make_request(id, 9, 1);
    scheduler.add(adapter == 0 ? std::move(request) : with_adapter(std::move(request), adapter));
    const StepPlan plan = step(scheduler);
    scheduler.clear_ended();
    return plan.entries[0].first_position;
  };
  EXPECT_EQ(cached(1, 0), 0);
  EXPECT_EQ(cached(2, 11), 0);
  EXPECT_EQ(cached(3, 12), 0);
  EXPECT_EQ(cached(4, 11), 8);
  EXPECT_EQ(cached(5, 0), 8);
}

TEST(Scheduler, APreemptedSequenceGivesItsSlotBackAndComesAgain) {
  SchedulerLimits limits = limits_of(8, 32, 4);  // of 4 tokens each
  limits.num_adapter_slots = 2;
  limits.prefix_caching = false;
  Scheduler scheduler(limits, {1, 2});
  scheduler.add(with_adapter(make_request(1, 6, 6), 11));
  scheduler.add(with_adapter(make_request(2, 6, 6), 12));
  int32_t finished = 0;
  for (int i = 0; i < 40 && finished < 2; ++i) {
    const StepPlan plan = scheduler.plan_step(1);
    ASSERT_FALSE(plan.empty());
    for (const PlannedSequence& entry : plan.entries) EXPECT_GE(entry.sequence->adapter_slot, 0);
    for (const Progress& progress : scheduler.commit_step(std::vector<TokenId>(plan.entries.size(), 7))) {
      finished += progress.finish != FinishReason::kNone ? 1 : 0;
    }
    scheduler.clear_ended();
  }
  EXPECT_EQ(finished, 2);
  EXPECT_GT(scheduler.stats().num_preemptions, 0);
  scheduler.check_integrity();
}

TEST(Scheduler, WithoutSlotsARequestWithAnAdapterEndsAtOnce) {
  Scheduler scheduler(limits_of(8, 10, 100), {1, 2});
  scheduler.add(with_adapter(make_request(1, 3), 11));
  ASSERT_EQ(scheduler.ended().size(), 1U);
  EXPECT_EQ(scheduler.ended()[0].finish, FinishReason::kError);
}

}  // namespace
}  // namespace seraph
