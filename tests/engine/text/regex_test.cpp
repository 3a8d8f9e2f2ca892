#include "engine/text/regex.h"

#include <gtest/gtest.h>

namespace seraph::text {
namespace {

std::vector<size_t> ends_by_regex(const Regex& regex, std::string_view text) {
  std::vector<size_t> out;
  Regex::Matches matches(regex, text);
  for (size_t begin = 0, end = 0; matches.next(begin, end);) out.push_back(end);
  return out;
}

TEST(Regex, ReadsOnigurumasClasses) {
  auto spaces = Regex::compile("\\s+");
  ASSERT_TRUE(spaces.ok());
  EXPECT_EQ(ends_by_regex(*spaces,
                          "a \xC2\x85"
                          "b\xE1\xA0\x8E"),
            std::vector<size_t>{4})
      << "U+180E is no space";
  auto others = Regex::compile("[^\\s\\p{L}]+");
  ASSERT_TRUE(others.ok());
  EXPECT_EQ(ends_by_regex(*others, "a1 2b"), (std::vector<size_t>{2, 4}));
  EXPECT_FALSE(Regex::compile("(").ok());
}

TEST(Regex, EmptyMatchesAreCutsAndEnd) {
  auto regex = Regex::compile("(?=b)");
  ASSERT_TRUE(regex.ok());
  EXPECT_EQ(ends_by_regex(*regex, "abab"), (std::vector<size_t>{1, 3}));
}

TEST(Regex, CatastrophicPatternsStopAtTheStepLimit) {
  auto regex = Regex::compile("(a+)+[bc]");
  ASSERT_TRUE(regex.ok());
  EXPECT_THROW(ends_by_regex(*regex, std::string(64, 'a')), PatternLimit);
}

}  // namespace
}  // namespace seraph::text
