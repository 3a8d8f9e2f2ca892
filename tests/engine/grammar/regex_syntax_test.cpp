#include "tests/engine/grammar/grammar_support.h"

namespace seraph {
namespace {

using namespace test;  // NOLINT: the helpers are the vocabulary of these tests

TEST(RegexSyntaxTest, AlternativesRepetitionsAndClassesMatchTheWholeText) {
  expect_texts(regex("(ab|c){2,3}[^x-z]?"), {"abc", "ccc", "cc!", "abababq"}, {"c", "ccx", "cccc1c", ""});
  expect_texts(regex("(a+)+b"), {"aaab"}, {std::string(40, 'a')});
  expect_texts(regex("a{"), {"a{"}, {"a"});
}

TEST(RegexSyntaxTest, AnchorsHoldOnlyAtTheEnds) {
  expect_texts(regex("^a|b$"), {"a", "b"}, {"ab"});
  EXPECT_TRUE(regex("a^b")->matches_nothing());
}

TEST(RegexSyntaxTest, ClassesAreUnicodeAsInPython) {
  expect_texts(regex("\\w+"), {"é上_9"}, {"a b"});
  expect_texts(regex("\\W"), {" "}, {"é"});
}

TEST(RegexSyntaxTest, WhatIsNotRegularIsRefusedByName) {
  EXPECT_NE(compile_regex("(a)\\1").error().message.find("back reference"), std::string::npos);
  EXPECT_NE(compile_regex("(?=a)a").error().message.find("look-around"), std::string::npos);
  for (const char* bad : {"(", "[a", "[z-a]", "*a", "a{3,2}", "a**", "\\y", "(?i)a", "a*+"}) {
    EXPECT_FALSE(compile_regex(bad).ok()) << bad;
  }
}

TEST(RegexSyntaxTest, ExplosionsEndInAnError) {
  EXPECT_FALSE(compile_regex("[ab]*a[ab]{40}").ok());
  EXPECT_FALSE(compile_regex("((a{1000}){1000}){1000}").ok());
  EXPECT_FALSE(compile_regex(std::string(20000, '(') + "a" + std::string(20000, ')')).ok());
}

}  // namespace
}  // namespace seraph
