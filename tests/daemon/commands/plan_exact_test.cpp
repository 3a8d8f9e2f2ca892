#include <gtest/gtest.h>

#include "daemon/commands/plan.h"

namespace seraph {
namespace {

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;

/// Qwen2-7B-Instruct as its files are.
PlanShape qwen2_7b() {
  return PlanShape{.parameters_b = 7.615616512,
                   .hidden_size = 3584,
                   .num_layers = 28,
                   .num_heads = 28,
                   .num_kv_heads = 4,
                   .context_tokens = 32768,
                   .linear_parameters_b = 6.525,
                   .intermediate_size = 18944,
                   .vocab_size = 152064};
}

TEST(PlanExact, SumsWeightsBlocksAndActivations) {
  PlanShape shape = qwen2_7b();
  shape.context_tokens = 1001;  // 63 blocks of 16
  const auto plan = plan_exact(shape, 1);
  ASSERT_TRUE(plan.ok());
  EXPECT_NEAR(plan->weights_gib, 7.615616512e9 * 2 / kGib, 1e-9);
  EXPECT_DOUBLE_EQ(plan->kv_bytes_per_token, 57344);
  EXPECT_DOUBLE_EQ(plan->kv_gib, 57344.0 * 1008 / kGib);
  EXPECT_DOUBLE_EQ(plan->activations_gib, (2048.0 * (4 * 3584 + 2 * 18944) * 2 + 256.0 * 152064 * 4) / kGib);
  EXPECT_DOUBLE_EQ(plan->needed_gib, (plan->weights_gib + plan->kv_gib + plan->activations_gib) / 0.9);
  EXPECT_NEAR(plan->kv_tokens(24, 0.9), (21.6 - plan->weights_gib - plan->activations_gib) * kGib / 57344, 1e-3);
}

TEST(PlanExact, FilesAndHeadSizeCountAsTheyAre) {
  PlanShape shape = qwen2_7b();
  shape.weights_gib = 3;
  shape.head_dim = 256;
  EXPECT_DOUBLE_EQ(plan_exact(shape, 1)->weights_gib, 3);
  EXPECT_DOUBLE_EQ(plan_exact(shape, 1)->kv_bytes_per_token, 2 * 57344.0);
  EXPECT_NEAR(plan_memory(shape)->weights_gib, 15.23, 0.01) << "the rule knows only numbers of parameters";
  EXPECT_DOUBLE_EQ(plan_memory(shape)->kv_bytes_per_token, 57344);
}

TEST(PlanExact, QuantisationLeavesEmbeddingsAndHeadAlone) {
  const auto weights = [](const char* name) {
    PlanShape shape = qwen2_7b();
    shape.quantization = name;
    return plan_exact(shape, 1)->weights_gib * kGib * 1e-9;
  };
  EXPECT_NEAR(weights("fp8"), 6.525 + 1.090616512 * 2, 1e-9);
  EXPECT_NEAR(weights("ifq_nf4"), 6.525 * 0.53125 + 1.090616512 * 2, 1e-9);
  PlanShape shape = qwen2_7b();
  shape.quantization = "int3";
  EXPECT_FALSE(plan_exact(shape, 1).ok());
}

TEST(PlanExact, CardsSplitTheHeadsAndRepeatKvHeads) {
  const PlanShape shape = qwen2_7b();
  EXPECT_EQ(plan_exact_cards(shape, 24).value(), 1);
  EXPECT_EQ(plan_exact_cards(shape, 10).value(), 2);
  EXPECT_EQ(plan_exact_cards(shape, 6).value(), 4);
  EXPECT_EQ(plan_exact_cards(shape, 2).value(), 28) << "7 and 14 cards would not share 4 KV heads evenly";
  EXPECT_EQ(plan_exact_cards(shape, 0.5).value(), 0);
  EXPECT_DOUBLE_EQ(plan_exact(shape, 28)->kv_bytes_per_token, 57344 * 7.0);
}

TEST(PlanExact, CardsAreSizesOrNames) {
  EXPECT_DOUBLE_EQ(parse_plan_card("24")->memory_gib, 24);
  EXPECT_EQ(parse_plan_card("l20")->name, "L20");
  EXPECT_NEAR(parse_plan_card("L20")->memory_gib, 44.99, 0.01);
  for (const char* bad : {"", "0", "-3", "24x", "inf card"}) EXPECT_FALSE(parse_plan_card(bad).ok()) << bad;
}

}  // namespace
}  // namespace seraph
