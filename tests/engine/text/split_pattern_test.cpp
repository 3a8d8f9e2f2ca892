#include "engine/text/split_pattern.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/text/regex.h"
#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

std::vector<size_t> ends_by_hand(SplitPattern pattern, std::string_view text) {
  std::vector<size_t> out;
  for (size_t pos = 0; pos < text.size();) out.push_back(pos = split_piece_end(pattern, text, pos));
  return out;
}

std::vector<size_t> ends_by_regex(const Regex& regex, std::string_view text) {
  std::vector<size_t> out;
  Regex::Matches matches(regex, text);
  for (size_t begin = 0, end = 0; matches.next(begin, end);) out.push_back(end);
  return out;
}

// Characters that both PCRE2 and our classes put in the same class: their Unicode versions differ.
class CharSource {
 public:
  CharSource() {
    const std::pair<const char*, uint16_t> questions[] = {{"\\p{L}", kLetter},
                                                          {"\\p{N}", kNumber},
                                                          {"\\p{M}", kMark},
                                                          {"[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]", kUpperLike},
                                                          {"[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]", kLowerLike},
                                                          {"\\s", kSpace}};
    std::vector<bool> differs(0x110000, false);
    std::string all;
    std::vector<char32_t> at;
    for (char32_t c = 0; c < 0x110000; ++c) {
      if (c >= 0xD800 && c < 0xE000) continue;
      append_utf8(all, c);
      at.resize(all.size(), c);
    }
    for (const auto& [expression, mask] : questions) {
      auto regex = Regex::compile(expression);
      std::vector<bool> matched(0x110000, false);
      Regex::Matches matches(*regex, all);
      for (size_t begin = 0, end = 0; matches.next(begin, end);) matched[at[begin]] = true;
      for (char32_t c = 0; c < 0x110000; ++c) {
        if (matched[c] != ((char_class(c) & mask) != 0)) differs[c] = true;
      }
    }
    for (char32_t c = 0; c < 0x110000; ++c) {
      if (c >= 0xD800 && c < 0xE000) continue;
      if (differs[c]) {
        ++num_different;
      } else {
        chars.push_back(c);
      }
    }
  }
  std::vector<char32_t> chars;
  int num_different = 0;
};

TEST(SplitPattern, IsEqualToTheRegularExpressionOnRandomText) {
  const CharSource source;
  EXPECT_LT(source.num_different, 12'000) << "the classes differ by more than new Unicode versions";
  std::mt19937 random(11);
  const std::u32string common =
      U"abzABZ019 \t\n\r'.,/!sStTmMdDrReEvVlL\u017F\u00A0\u3000\u0301\u02B0\u4F60\u01C5\u00B2\u0085";
  for (const auto pattern : {SplitPattern::kGpt2, SplitPattern::kQwen2, SplitPattern::kLlama3, SplitPattern::kTekken}) {
    auto regex = Regex::compile(split_pattern_source(pattern));
    ASSERT_TRUE(regex.ok()) << regex.error().text();
    for (int round = 0; round < 20'000; ++round) {
      std::string text;
      for (size_t left = 1 + random() % 24; left > 0; --left) {
        append_utf8(
            text, random() % 4 != 0 ? common[random() % common.size()] : source.chars[random() % source.chars.size()]);
      }
      ASSERT_EQ(ends_by_hand(pattern, text), ends_by_regex(*regex, text))
          << static_cast<int>(pattern) << " " << testing::PrintToString(text);
    }
  }
}

TEST(SplitPattern, KnowsItsOwnExpressionsAndNoOther) {
  for (const auto pattern : {SplitPattern::kGpt2, SplitPattern::kQwen2, SplitPattern::kLlama3, SplitPattern::kTekken}) {
    EXPECT_EQ(find_split_pattern(split_pattern_source(pattern)), pattern);
  }
  EXPECT_EQ(find_split_pattern("\\p{N}{1,3}"), SplitPattern::kNone);
}

}  // namespace
}  // namespace seraph::text
