#include "engine/text/added_tokens.h"

#include <gtest/gtest.h>

namespace seraph::text {
namespace {

std::string cut(const AddedTokens& tokens, std::string_view text, bool parse_special = true) {
  std::vector<TextSegment> segments;
  tokens.split_raw(text, parse_special, segments);
  std::string out;
  for (const TextSegment& segment : segments) {
    out += segment.id >= 0 ? "<" + std::to_string(segment.id) + ":" : std::string("[");
    out += text.substr(segment.begin, segment.end - segment.begin);
    out += segment.id >= 0 ? ">" : "]";
  }
  return out;
}

AddedTokens make(std::vector<AddedToken> list) {
  AddedTokens out;
  for (AddedToken& token : list) out.add(std::move(token));
  out.freeze([](std::string&) {});
  return out;
}

TEST(AddedTokens, TheLongestAtTheLeftmostPlaceWins) {
  const AddedTokens tokens =
      make({{.content = "ab", .id = 1}, {.content = "abc", .id = 2}, {.content = "bcd", .id = 3}});
  EXPECT_EQ(cut(tokens, "xabcd"), "[x]<2:abc>[d]");
  EXPECT_EQ(cut(tokens, "abab"), "<1:ab><1:ab>");
  EXPECT_EQ(cut(tokens, ""), "");
}

TEST(AddedTokens, StripsSwallowSpacesAndSingleWordsStandAlone) {
  const AddedTokens tokens = make({{.content = "L", .id = 1, .lstrip = true},
                                   {.content = "R", .id = 2, .rstrip = true},
                                   {.content = "word", .id = 3, .single_word = true}});
  EXPECT_EQ(cut(tokens, "a \tL b"), "[a]<1: \tL>[ b]");
  EXPECT_EQ(cut(tokens, "R \nLx"), "<2:R \n><1:L>[x]");
  EXPECT_EQ(cut(tokens, "word words"), "<3:word>[ words]");
}

TEST(AddedTokens, SpecialOnesAreTextOnRequest) {
  const AddedTokens tokens = make({{.content = "<s>", .id = 1, .special = true}, {.content = "<t>", .id = 2}});
  EXPECT_EQ(cut(tokens, "<s><t>", false), "[<s>]<2:<t>>");
}

}  // namespace
}  // namespace seraph::text
