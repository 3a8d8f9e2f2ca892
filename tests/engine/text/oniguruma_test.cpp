#include "engine/text/oniguruma.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/text/regex.h"

namespace seraph::text {
namespace {

/// The matches and the gaps between them, as `tokenizers` isolates them.
std::vector<std::string> split(std::string_view pattern, std::string_view text) {
  const auto regex = Regex::compile(pattern);
  if (!regex.ok()) return {regex.error().text()};
  std::vector<std::string> out;
  size_t done = 0;
  Regex::Matches matches(*regex, text);
  for (size_t begin = 0, end = 0; matches.next(begin, end); done = end) {
    if (begin > done) out.emplace_back(text.substr(done, begin - done));
    if (end > begin) out.emplace_back(text.substr(begin, end - begin));
  }
  if (done < text.size()) out.emplace_back(text.substr(done));
  return out;
}

using Pieces = std::vector<std::string>;

// What is expected was recorded from `tokenizers` (Oniguruma).
TEST(Oniguruma, ClassesNestAndIntersect) {
  EXPECT_EQ(split("[a-z&&[^aeiou]]+", "hello"), (Pieces{"h", "e", "ll", "o"}));
  EXPECT_EQ(split("[a-c&&b-z[x]]+", "abcxyz"), (Pieces{"a", "bc", "xyz"}));
  EXPECT_EQ(split("[^a&&b]+", "abc"), (Pieces{"abc"}));
  EXPECT_EQ(split("[a-z&&^b]+", "ab^c"), (Pieces{"a", "b", "^c"}));
  EXPECT_EQ(split("[a[b[^c]]]+", "abcd"), (Pieces{"ab", "c", "d"}));
  EXPECT_EQ(split("[\\p{L}&&[^\\p{Han}]]+|[\\p{Han}]+", "ab日本c"), (Pieces{"ab", "日本", "c"}));
  EXPECT_EQ(split(" ?[^(\\s|[.,!?…。，、।۔،])]+", "a (b|c).d"), (Pieces{"a", " (", "b", "|", "c", ").", "d"}));
  EXPECT_EQ(split("[]a]+|[a-c-e]+", "]a[bc-e"), (Pieces{"]a", "[", "bc-e"}));
  EXPECT_EQ(split("[^\\S\\n]+", "a \t\nb"), (Pieces{"a", " \t", "\nb"}));
}

TEST(Oniguruma, EscapesMeanWhatTheyMeanThere) {
  EXPECT_EQ(split("\\u3042|\\x{3044}", "aあいう"), (Pieces{"a", "あ", "い", "う"}));
  EXPECT_EQ(split("\\v+", "a\x0b\x0c"), (Pieces{"a", "\x0b", "\x0c"})) << "a vertical tab";
  EXPECT_EQ(split("\\h+", "0aFg"), (Pieces{"0aF", "g"})) << "a hexadecimal digit";
  EXPECT_EQ(split("\\w+", "²³´"), (Pieces{"²³", "´"})) << "\\w alone is wider than in a class";
  EXPECT_EQ(split("[\\w]+", "a²"), (Pieces{"a", "²"}));
  EXPECT_EQ(split("\\b", "कि a"), (Pieces{"कि", " ", "a"})) << "a mark is part of a word";
  EXPECT_EQ(split("\\p{Han}+", "漢、々〇字"), (Pieces{"漢", "、", "々〇字"})) << "the script, not its extensions";
  EXPECT_EQ(split("[[:punct:]]+", "a$!b"), (Pieces{"a", "$!", "b"}));
  EXPECT_EQ(split("\\p{Punct}+", "a$!b"), (Pieces{"a$", "!", "b"}));
}

TEST(Oniguruma, RepeatsAndOptionsAreRubys) {
  EXPECT_EQ(split("\\p{N}{1,3}+", "1234567a"), (Pieces{"1234567", "a"})) << "a repeat of a repeat";
  EXPECT_EQ(split("(?:ab){2}?", "ababab"), (Pieces{"abab", "a", "b"}));
  EXPECT_EQ(split("[a]{,2}", "aaab"), (Pieces{"aa", "a", "b"}));
  EXPECT_EQ(split("a{x", "a{x"), (Pieces{"a{x"}));
  EXPECT_EQ(split("a(?i)b|c", "aBCc"), (Pieces{"aB", "Cc"})) << "the option begins a group of its own";
  EXPECT_EQ(split("(?m).+", "a\nb"), (Pieces{"a\nb"})) << "a dot matches line feeds";
}

TEST(Oniguruma, WhatHasNoCounterpartIsRefused) {
  for (const char* pattern : {"\\pL",        "\\N",
                              "\\Q.\\E",     "\\xe3\\x81\\x82",
                              "\\ud800",     "\\u12",
                              "\\X",         "\\G",
                              "\\101",       "(?s).",
                              "(?x)a",       "(?~a)",
                              "(?|a)",       "(*FAIL)",
                              "[a&&]",       "[a",
                              "[a[b]",       "[",
                              "[a-\\d]",     "[z-a]",
                              "[[:graph:]]", "\\p{InBasicLatin}",
                              "\\p{sc=Han}", "\\p{L",
                              "a)",          "(?#",
                              "\\",          "[\\",
                              "(?i",         "(?",
                              "[a-",         "\\x{110000}",
                              "\\x"}) {
    const auto translated = translate_oniguruma(pattern);
    ASSERT_FALSE(translated.ok()) << pattern << " became " << *translated;
    EXPECT_EQ(translated.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(translated.error().message.find("near byte"), std::string::npos);
  }
  EXPECT_FALSE(translate_oniguruma(std::string(100, '[') + 'a' + std::string(100, ']')).ok()) << "depth has a limit";
}

}  // namespace
}  // namespace seraph::text
