#include "engine/sample/thinking_budget.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

constexpr int32_t kVocab = 40;

class ThinkingBudgetTest : public testing::Test {
 protected:
  void begin(int32_t tokens_max, std::vector<TokenId> prompt, std::vector<TokenId> open = {1},
             std::vector<TokenId> close = {2}) {
    request_.id = ++last_id_;
    request_.prompt_ids = prompt;
    request_.thinking_budget = std::make_shared<const ThinkingBudget>(
        ThinkingBudget{.tokens_max = tokens_max, .open = std::move(open), .close = std::move(close)});
    tokens_ = std::move(prompt);
  }
  /// The id that is forced behind the tokens so far; -1: none.
  TokenId forced() {
    state_.follow(request_, tokens_, kVocab);
    const uint32_t* words = state_.allowed();
    if (words == nullptr) return -1;
    TokenId only = -1;
    for (TokenId id = 0; id < kVocab; ++id) {
      if ((words[id / 32] >> (id % 32) & 1U) == 0) continue;
      EXPECT_EQ(only, -1) << "one id alone is left";
      only = id;
    }
    return only;
  }
  TokenId forced_after(std::vector<TokenId> more) {
    for (const TokenId id : more) {
      static_cast<void>(forced());
      tokens_.push_back(id);
    }
    return forced();
  }

  Request request_;
  RequestId last_id_ = 0;
  std::vector<TokenId> tokens_;
  ThinkingBudgetState state_;
};

TEST_F(ThinkingBudgetTest, ClosesTheThinkingWhenTheBudgetIsUsed) {
  begin(3, {10, 11});
  EXPECT_EQ(forced_after({1}), -1);
  EXPECT_EQ(forced_after({20, 21}), -1);
  EXPECT_EQ(forced_after({22}), 2);
  EXPECT_EQ(forced_after({2, 23, 24, 25, 26}), -1) << "the answer has no budget";
}

TEST_F(ThinkingBudgetTest, CountsWhatThePromptHasThoughtAlready) {
  begin(2, {10, 1, 20});
  EXPECT_EQ(forced(), -1);
  EXPECT_EQ(forced_after({21}), 2);
  begin(0, {10, 1});
  EXPECT_EQ(forced(), 2);
  begin(0, {1, 20, 2, 10});
  EXPECT_EQ(forced(), -1) << "what the prompt has closed is over";
}

TEST_F(ThinkingBudgetTest, ThinkingThatEndsByItselfStartsAnewLater) {
  begin(2, {10});
  EXPECT_EQ(forced_after({1, 20, 2, 30, 31, 32}), -1);
  EXPECT_EQ(forced_after({1, 20}), -1);
  EXPECT_EQ(forced_after({21}), 2);
}

TEST_F(ThinkingBudgetTest, ForcesAClosingTagOfSeveralTokensToItsEnd) {
  begin(1, {10}, {1, 3}, {4, 5, 6});
  EXPECT_EQ(forced_after({1, 20, 1, 3}), -1);
  EXPECT_EQ(forced_after({20}), 4);
  EXPECT_EQ(forced_after({4}), 5);
  EXPECT_EQ(forced_after({5}), 6);
  EXPECT_EQ(forced_after({6}), -1);
}

TEST_F(ThinkingBudgetTest, ASlotThatGetsAnotherSequenceBeginsAgain) {
  begin(1, {10});
  EXPECT_EQ(forced_after({1, 20}), 2);
  begin(1, {10});
  EXPECT_EQ(forced_after({20, 21}), -1);
}

TEST_F(ThinkingBudgetTest, ATagOutsideTheModelsVocabularyForcesNothing) {
  begin(0, {10}, {1}, {kVocab});
  EXPECT_EQ(forced_after({1}), -1);
}

}  // namespace
}  // namespace seraph
