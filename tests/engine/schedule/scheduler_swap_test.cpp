// Where the keys and values of preempted sequences go. That texts stay what they are is in engine_loop_test.cpp.
#include <gtest/gtest.h>

#include <numeric>

#include "engine/schedule/scheduler.h"

namespace seraph {
namespace {

/// Two sequences fit at first: both hold 2 of 6 blocks of 4 tokens and grow.
SchedulerLimits limits_of(int32_t host_blocks, Preemption preemption) {
  SchedulerLimits limits;
  limits.num_seqs_max = 4;
  limits.step_tokens_max = 64;
  limits.prompt_logit_rows_max = 8;
  limits.model_tokens_max = 24;
  limits.vocab_size = 1000;
  limits.block_tokens = 4;
  limits.num_blocks = 6;
  limits.host_blocks = host_blocks;
  limits.swap_block_ns = 1000;
  limits.preemption = preemption;
  limits.prefix_caching = false;
  return limits;
}

std::unique_ptr<Request> make_request(RequestId id) {
  auto request = std::make_unique<Request>();
  request->id = id;
  std::vector<TokenId> ids(8);
  std::iota(ids.begin(), ids.end(), static_cast<TokenId>(100 * id));
  request->prompt_ids = std::move(ids);
  request->sampling.tokens_max = 14;
  request->sampling.ignore_eos = true;
  return request;
}

/// Steps until the second sequence is preempted; `token_us` is what a token of a prompt took.
void run_to_preemption(Scheduler& scheduler, StepPlan& last, int64_t token_us) {
  scheduler.add(make_request(1));
  scheduler.add(make_request(2));
  while (scheduler.stats().num_preemptions == 0) {
    last = scheduler.plan_step(1);
    ASSERT_FALSE(last.empty());
    scheduler.note_cost(last, token_us * last.num_tokens);
    scheduler.commit_step(std::vector<TokenId>(last.entries.size(), 7));
  }
}

TEST(SchedulerSwap, BlocksGoToTheHostAndComeBackWithNothingComputedAgain) {
  Scheduler scheduler(limits_of(8, Preemption::kSwap), {1, 2});
  StepPlan plan;
  run_to_preemption(scheduler, plan, 1);
  ASSERT_EQ(plan.swaps.size(), 3U);
  for (const SwappedBlock& swap : plan.swaps) EXPECT_TRUE(swap.to_host);
  const std::vector<SwappedBlock> out = plan.swaps;
  EXPECT_EQ(scheduler.host_blocks().num_held(), 3);
  EXPECT_EQ(scheduler.stats().num_swaps, 1);
  scheduler.cancel(1);
  scheduler.clear_ended();
  plan = scheduler.plan_step(1);
  ASSERT_EQ(plan.entries.size(), 1U);
  EXPECT_EQ(plan.entries[0].num_tokens, 1);
  ASSERT_EQ(plan.swaps.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(plan.swaps[i].to_host);
    EXPECT_EQ(plan.swaps[i].host, out[i].host);
    EXPECT_EQ(plan.swaps[i].device, plan.entries[0].sequence->blocks[i]);
  }
  EXPECT_EQ(scheduler.host_blocks().num_held(), 0);
}

TEST(SchedulerSwap, WithoutRoomOnTheHostEverythingIsComputedAgain) {
  for (const auto& [host_blocks, preemption] : {std::pair{2, Preemption::kSwap}, {8, Preemption::kRecompute}}) {
    Scheduler scheduler(limits_of(host_blocks, preemption), {1, 2});
    StepPlan plan;
    run_to_preemption(scheduler, plan, 1);
    EXPECT_TRUE(plan.swaps.empty());
    EXPECT_EQ(scheduler.stats().num_swaps, 0);
    EXPECT_EQ(scheduler.host_blocks().num_held(), 0);
  }
}

/// 3 blocks of 1 us each against 12 tokens.
TEST(SchedulerSwap, TheCheaperWayIsTaken) {
  for (const auto& [token_us, num_swaps] : {std::pair{0, 0}, {1, 1}}) {
    Scheduler scheduler(limits_of(8, Preemption::kByCost), {1, 2});
    StepPlan plan;
    run_to_preemption(scheduler, plan, token_us);
    EXPECT_EQ(scheduler.stats().num_swaps, num_swaps) << token_us;
  }
}

TEST(SchedulerSwap, ACancelledOrForgottenSequenceLeavesNothingOnTheHost) {
  Scheduler cancelled(limits_of(8, Preemption::kSwap), {1, 2});
  StepPlan plan;
  run_to_preemption(cancelled, plan, 1);
  cancelled.cancel(2);
  EXPECT_EQ(cancelled.host_blocks().num_held(), 0);
  Scheduler asleep(limits_of(8, Preemption::kSwap), {1, 2});
  run_to_preemption(asleep, plan, 1);
  asleep.preempt_all();
  EXPECT_EQ(asleep.host_blocks().num_held(), 0);
  plan = asleep.plan_step(1);
  EXPECT_TRUE(plan.swaps.empty());
  asleep.check_integrity();
}

}  // namespace
}  // namespace seraph
