#include "engine/kv_plan.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

KvPlanInput input() {
  return {.block_bytes = 1000,
          .block_tokens = 16,
          .max_model_len = 160,
          .max_num_seqs = 4,
          .memory_free_bytes = 1 << 30,
          .memory_budget_bytes = 1 << 29};
}

TEST(KvPlan, ChoosesWhatTheSequencesCouldUse) {
  const Result<KvPlan> plan = plan_kv(input());
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->num_blocks, 40);
  EXPECT_EQ(plan->kv_bytes, 40000);
}

TEST(KvPlan, TakesAtMostTheBudget) {
  KvPlanInput small = input();
  small.memory_budget_bytes = 20000;
  EXPECT_EQ(plan_kv(small)->num_blocks, 20);
}

TEST(KvPlan, RefusesWithTheLengthThatWouldFit) {
  KvPlanInput tiny = input();
  tiny.memory_budget_bytes = 4000;
  const Result<KvPlan> plan = plan_kv(tiny);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(plan.error().remedy.find("--max-model-len to 64"), std::string::npos) << plan.error().text();
}

TEST(KvPlan, GivenBytesAndBlocksAreTakenExactly) {
  KvPlanInput given = input();
  given.kv_cache_bytes = 12345;
  EXPECT_EQ(plan_kv(given)->num_blocks, 12);
  given.num_blocks_override = 11;
  EXPECT_EQ(plan_kv(given)->num_blocks, 11);
  given.num_blocks_override = 9;
  EXPECT_FALSE(plan_kv(given).ok());
}

TEST(KvPlan, RefusesMoreThanThereIs) {
  KvPlanInput given = input();
  given.kv_cache_bytes = 2LL << 30;
  EXPECT_EQ(plan_kv(given).error().param, "kv_cache_memory");
}

}  // namespace
}  // namespace seraph
