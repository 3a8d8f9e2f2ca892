#include "engine/batch_builder.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

using Ints = std::vector<int32_t>;
Ints list(std::span<const int32_t> values) { return {values.begin(), values.end()}; }

Sequence make_sequence(std::vector<TokenId> tokens, int32_t prompt_tokens, Ints blocks,
                       Pooling pooling = Pooling::kNone) {
  Sequence sequence;
  auto request = std::make_unique<Request>();
  request->pooling = pooling;
  sequence.request = std::move(request);
  sequence.tokens = std::move(tokens);
  sequence.prompt_tokens = prompt_tokens;
  sequence.blocks = std::move(blocks);
  return sequence;
}

TEST(BatchBuilder, LaysOutAChunkAndADecodeSideBySide) {
  Sequence decode = make_sequence({10, 11, 12, 13, 14}, 3, {7, 2});
  Sequence chunk = make_sequence({20, 21, 22, 23, 24, 25}, 6, {4, 5, 9});
  StepPlan plan;
  plan.entries.push_back({.sequence = &decode, .first_position = 4, .num_tokens = 1, .draws = true});
  plan.entries.push_back({.sequence = &chunk,
                          .first_position = 2,
                          .num_tokens = 4,
                          .draws = true,
                          .prompt_logprobs_begin = 3,
                          .prompt_logprobs_end = 5});
  plan.num_tokens = 5;
  BatchBuilder builder(16, 4, 8, 4);
  for (int repeat = 0; repeat < 2; ++repeat) {
    const Batch batch = builder.build(plan);
    EXPECT_EQ(list(batch.token_ids), (Ints{14, 22, 23, 24, 25}));
    EXPECT_EQ(list(batch.positions), (Ints{4, 2, 3, 4, 5}));
    EXPECT_EQ(list(batch.slots), (Ints{8, 18, 19, 20, 21}));
    EXPECT_EQ(list(batch.row_begin), (Ints{0, 1, 5}));
    EXPECT_EQ(list(batch.context_tokens), (Ints{5, 6}));
    EXPECT_EQ(list(batch.prompt_tokens), (Ints{3, 6}));
    EXPECT_EQ(list(batch.logit_rows), (Ints{0, 2, 3, 4}));
    EXPECT_EQ(batch.blocks_stride, 3);
    EXPECT_EQ(batch.block_tables[1], 2);
    EXPECT_EQ(list(batch.block_tables.subspan(3)), (Ints{4, 5, 9}));
  }
}

TEST(BatchBuilder, MarksTheIdThatIsStillOnTheDevice) {
  Sequence decode = make_sequence({10, 11, 12}, 3, {7});
  StepPlan plan;
  plan.entries.push_back({.sequence = &decode, .first_position = 3, .num_tokens = 1, .draws = true});
  BatchBuilder builder(16, 4, 8, 4);
  EXPECT_EQ(builder.build(plan).token_ids[0], kPendingToken);
}

TEST(BatchBuilder, APendingIdSaysInWhichRowItWasDrawn) {
  Sequence decode = make_sequence({10, 11, 12}, 3, {7});
  decode.slot = 1;
  StepPlan plan;
  plan.entries.push_back({.sequence = &decode, .first_position = 3, .num_tokens = 1, .draws = true});
  BatchBuilder builder(16, 4, 8, 4);
  EXPECT_EQ(builder.build(plan, Ints{0, 5, 0, 0}).token_ids[0], -6);
}

TEST(BatchBuilder, PaddingRowsAreSequencesOfNothing) {
  Sequence decode = make_sequence({10, 11, 12, 13}, 3, {7});
  StepPlan plan;
  plan.entries.push_back({.sequence = &decode, .first_position = 3, .num_tokens = 1, .draws = true});
  BatchBuilder builder(16, 4, 8, 4);
  const Batch batch = builder.build(plan, {}, {.rows = 3, .blocks_stride = 4});
  EXPECT_EQ(list(batch.token_ids), (Ints{13, 0, 0}));
  EXPECT_EQ(list(batch.slots), (Ints{31, -1, -1}));
  EXPECT_EQ(list(batch.row_begin), (Ints{0, 1, 1, 1}));
  EXPECT_EQ(list(batch.context_tokens), (Ints{4, 0, 0}));
  EXPECT_EQ(list(batch.logit_rows), (Ints{0, 1, 2}));
  EXPECT_EQ(batch.num_generated, 3);
  EXPECT_EQ(batch.blocks_stride, 4);
  EXPECT_EQ(batch.block_tables.size(), 12U);
  EXPECT_EQ(batch.block_tables[0], 7);
}

TEST(BatchBuilder, PromptsAndWhatFollowsThemAreToldApart) {
  Sequence decode = make_sequence({10, 11, 12, 13}, 3, {7});
  Sequence chunk = make_sequence({20, 21, 22, 23}, 4, {4});
  StepPlan plan;
  plan.entries.push_back({.sequence = &decode, .first_position = 3, .num_tokens = 1, .draws = true});
  plan.entries.push_back({.sequence = &chunk, .first_position = 2, .num_tokens = 2, .draws = true});
  BatchBuilder builder(16, 4, 8, 4);
  const Batch batch = builder.build(plan);
  EXPECT_EQ(list(batch.generated_context), (Ints{4, 0}));
  EXPECT_EQ(list(batch.prompt_context), (Ints{0, 4}));
  EXPECT_EQ(batch.num_generated, 1);
}

TEST(BatchBuilder, TheMeanNeedsEveryRowTheLastTokenItsOwn) {
  Sequence mean = make_sequence({10, 11, 12, 13}, 4, {7}, Pooling::kMean);
  Sequence last = make_sequence({20, 21, 22}, 3, {4}, Pooling::kLast);
  StepPlan plan;
  plan.entries.push_back({.sequence = &mean, .first_position = 0, .num_tokens = 3});
  plan.entries.push_back({.sequence = &last, .first_position = 0, .num_tokens = 3, .draws = true});
  BatchBuilder builder(16, 4, 8, 4);
  EXPECT_EQ(list(builder.build(plan).logit_rows), (Ints{0, 1, 2, 5}));
}

}  // namespace
}  // namespace seraph
