#include "daemon/api/repetition.h"

#include <gtest/gtest.h>

#include <vector>

namespace seraph {
namespace {

TEST(Repetition, FindsAPatternAtTheEndAsOftenAsAsked) {
  const RepetitionRule rule{.size_min = 1, .size_max = 3, .count_min = 2};
  for (const std::vector<TokenId>& tokens :
       {std::vector<TokenId>{1, 2, 2}, {7, 1, 2, 1, 2}, {1, 2, 3, 1, 2, 3}, {5, 5}}) {
    EXPECT_TRUE(repeats(tokens, rule)) << tokens.size();
  }
  for (const std::vector<TokenId>& tokens :
       {std::vector<TokenId>{}, {1}, {1, 2, 1}, {2, 2, 1}, {1, 2, 3, 4, 1, 2, 3, 4}}) {
    EXPECT_FALSE(repeats(tokens, rule)) << tokens.size();
  }
  EXPECT_FALSE(repeats(std::vector<TokenId>{1, 1}, {.size_min = 1, .size_max = 1, .count_min = 3}));
  EXPECT_FALSE(repeats(std::vector<TokenId>{1, 1}, {.size_min = 2, .size_max = 3, .count_min = 2}));
  EXPECT_FALSE(repeats(std::vector<TokenId>{1, 1}, {})) << "nothing is looked for";
}

TEST(Repetition, HugeNumbersAreNoWork) {
  const std::vector<TokenId> tokens = {1, 2, 1, 2};
  EXPECT_TRUE(repeats(tokens, {.size_min = 1, .size_max = INT64_MAX, .count_min = 2}));
  EXPECT_FALSE(repeats(tokens, {.size_min = 1, .size_max = INT64_MAX, .count_min = INT64_MAX}));
}

TEST(Repetition, ReadsItsFieldAndRefusesWhatMakesNoSense) {
  RepetitionRule rule;
  const auto read = [&rule](const char* text) { return read_repetition(Json::parse(text).value(), rule); };
  EXPECT_FALSE(read(R"({"repetition_detection":{"max_pattern_size":3,"min_count":2}})"));
  EXPECT_EQ(rule.size_min, 1);
  EXPECT_EQ(rule.size_max, 3);
  EXPECT_FALSE(read(R"({"repetition_detection":{}})"));
  EXPECT_EQ(rule.size_max, 0);
  for (const char* wrong :
       {R"({"repetition_detection":{"max_pattern_size":-3}})", R"({"repetition_detection":{"min_pattern_size":2}})",
        R"({"repetition_detection":{"max_pattern_size":3,"min_count":1}})"}) {
    EXPECT_TRUE(read(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace seraph
