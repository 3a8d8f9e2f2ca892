#include "engine/sample/sample_rows.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

const SampleModel kModel{.vocab_size = 100, .eos_ids = {2, 3, 500}};

std::vector<int32_t> list(std::span<const int32_t> ids) { return {ids.begin(), ids.end()}; }

TEST(SampleRows, MinTokensMasksEosAndStopIdsInsideTheVocabularyEvenWithIgnoreEos) {
  Request request;
  request.id = 1;
  request.prompt_ids = {4, 5};
  request.sampling.tokens_min = 2;
  request.sampling.ignore_eos = true;
  request.sampling.stop_token_ids = {7, 100, -4};
  SampleState state;
  state.follow(request, request.prompt_ids, kModel);
  const auto banned = [&](int32_t generated) {
    return list(make_draw_row(request.sampling, state, {.generated_tokens = generated, .vocab_size = 100}).banned);
  };
  EXPECT_EQ(banned(0), (std::vector<int32_t>{2, 3, 7}));
  EXPECT_EQ(banned(1), (std::vector<int32_t>{2, 3, 7}));
  EXPECT_TRUE(banned(2).empty());
}

TEST(SampleRows, ABadWordIsBannedWhereTheOutputAloneHasBegunIt) {
  Request request;
  request.id = 1;
  request.prompt_ids = {8, 9};
  request.sampling.bad_words = {{8, 9, 10}, {20}, {9, 101}};
  request.sampling.tokens_min = 3;
  SampleState state;
  const auto banned = [&](const std::vector<TokenId>& output) {
    std::vector<TokenId> tokens = request.prompt_ids.copy();
    tokens.insert(tokens.end(), output.begin(), output.end());
    state.follow(request, tokens, kModel);
    const auto generated = static_cast<int32_t>(output.size());
    return list(make_draw_row(request.sampling, state, {.generated_tokens = generated, .vocab_size = 100}).banned);
  };
  EXPECT_EQ(banned({}), (std::vector<int32_t>{2, 3, 20})) << "the prompt does not count";
  EXPECT_EQ(banned({7, 8, 9}), (std::vector<int32_t>{10, 20}));
  EXPECT_EQ(banned({7, 8, 9, 7}), (std::vector<int32_t>{20}));
}

TEST(SampleRows, AllowedIdsAreABitSet) {
  Request request;
  request.id = 1;
  request.prompt_ids = {4};
  SampleState state;
  state.follow(request, request.prompt_ids, kModel);
  EXPECT_EQ(make_draw_row(request.sampling, state, {.vocab_size = 100}).allowed, nullptr);
  request.id = 2;
  request.sampling.allowed_ids = {0, 33, 99, 100};
  state.follow(request, request.prompt_ids, kModel);
  const uint32_t* allowed = make_draw_row(request.sampling, state, {.vocab_size = 100}).allowed;
  ASSERT_NE(allowed, nullptr);
  EXPECT_EQ((std::vector<uint32_t>(allowed, allowed + 4)), (std::vector<uint32_t>{1, 2, 0, 8}));
}

TEST(SampleRows, MasksThatLeaveNothingAreKnown) {
  const uint32_t allowed[] = {0b100, 0b10, 0, 0};  // 2 and 33
  const std::vector<int32_t> banned = {33, 2, 33};
  SampleRow row;
  EXPECT_FALSE(masks_everything(row, 100));
  row.banned = banned;
  EXPECT_FALSE(masks_everything(row, 100)) << "all others are left";
  row.allowed = allowed;
  EXPECT_TRUE(masks_everything(row, 100));
  row.banned = row.banned.first(1);
  EXPECT_FALSE(masks_everything(row, 100));
  const int32_t others[] = {3, 4, 5, 33};
  row.banned = others;
  EXPECT_FALSE(masks_everything(row, 100));
  const uint32_t none[] = {0, 0, 0, 0};
  row.allowed = none;
  row.banned = {};
  EXPECT_TRUE(masks_everything(row, 100));
}

TEST(SampleRows, CarriesEveryParameter) {
  Request request;
  request.id = 1;
  request.prompt_ids = {4, 5};
  request.sampling = {.temperature = 0.5F,
                      .top_p = 0.9F,
                      .min_p = 0.1F,
                      .top_k = 40,
                      .presence_penalty = 0.1F,
                      .frequency_penalty = 0.2F,
                      .repetition_penalty = 1.1F,
                      .seed = 77,
                      .choice = 3,
                      .logit_bias = {{9, 1.5F}, {100, 2.0F}},
                      .num_logprobs = 500};
  SampleState state;
  state.follow(request, std::vector<TokenId>{4, 5, 4, 6}, kModel);
  const SampleRow row =
      make_draw_row(request.sampling, state, {.logit_row = 8, .position = 4, .generated_tokens = 2, .vocab_size = 100});
  EXPECT_EQ(row.logit_row, 8);
  EXPECT_EQ(row.temperature, 0.5F);
  EXPECT_EQ(row.top_p, 0.9F);
  EXPECT_EQ(row.min_p, 0.1F);
  EXPECT_EQ(row.top_k, 40);
  EXPECT_EQ(row.presence_penalty, 0.1F);
  EXPECT_EQ(row.frequency_penalty, 0.2F);
  EXPECT_EQ(row.repetition_penalty, 1.1F);
  EXPECT_EQ(row.seed, 77U);
  EXPECT_EQ(row.choice, 3U);
  EXPECT_EQ(row.position, 4U);
  EXPECT_EQ(row.num_logprobs, 100);
  EXPECT_EQ(row.given_token, -1);
  ASSERT_EQ(row.bias.size(), 1U);
  EXPECT_EQ(row.bias[0].first, 9);
  ASSERT_EQ(row.counts.size(), 3U);
  EXPECT_EQ(row.counts[0].in_output, 1);
}

TEST(SampleRows, AStateThatMovesToAnotherRequestForgetsTheFirst) {
  Request first;
  first.id = 1;
  first.prompt_ids = {4, 5};
  first.sampling.presence_penalty = 1.0F;
  SampleState state;
  state.follow(first, std::vector<TokenId>{4, 5, 6}, kModel);
  EXPECT_EQ(state.counts().size(), 3U);
  Request second = first;
  second.id = 2;
  state.follow(second, second.prompt_ids, kModel);
  EXPECT_EQ(state.counts().size(), 2U);
  state.follow(second, std::vector<TokenId>{4, 5, 5}, kModel);
  EXPECT_EQ(state.counts()[1].in_output, 1);
}

TEST(SampleRows, NothingIsCountedWithoutPenalties) {
  Request request;
  request.id = 1;
  request.prompt_ids = {4, 5};
  SampleState state;
  state.follow(request, request.prompt_ids, kModel);
  EXPECT_TRUE(state.counts().empty());
}

TEST(SampleRows, APromptRowOnlyReports) {
  const SampleRow row = make_prompt_row(3, 5, 42);
  EXPECT_EQ(row.given_token, 42);
  EXPECT_EQ(row.logit_row, 5);
  EXPECT_EQ(row.num_logprobs, 3);
  EXPECT_TRUE(row.banned.empty());
}

}  // namespace
}  // namespace seraph
