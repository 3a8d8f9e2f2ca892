#include "engine/grammar/lark.h"

#include <gtest/gtest.h>

#include "tests/engine/grammar/grammar_support.h"

namespace seraph {
namespace {

using test::ebnf;
using test::expect_texts;

std::string error_of(std::string_view source) {
  const auto compiled = compile_ebnf(source);
  return compiled.ok() ? "" : compiled.error().text();
}

TEST(Lark, RulesTerminalsAndComments) {
  expect_texts(ebnf("// a greeting\nstart: GREETING \" \" NAME\nGREETING: \"hi\" | \"hello\"\nNAME: /[A-Z][a-z]+/\n"),
               {"hi Bob", "hello Ann"}, {"hi bob", "Hi Bob", "hi "});
  expect_texts(ebnf("?start: word -> greeting\n  | \"no\"\n!word.2: \"yes\""), {"yes", "no"}, {"", "yesno"});
}

TEST(Lark, LiteralsOfAnyCaseRangesAndEscapes) {
  expect_texts(ebnf("start: \"select\"i \" \" /[a-z]+/"), {"SELECT a", "sElect b"}, {"selec b"});
  expect_texts(ebnf("start: LETTER+\nLETTER: \"a\"..\"f\""), {"abc"}, {"g", ""});
  expect_texts(ebnf(R"(start: "\n\x41\"" /\/[\/]/)"), {"\nA\"//"}, {"nA\"//"});
}

TEST(Lark, RepetitionsGroupsAndOptionalParts) {
  expect_texts(ebnf("start: \"a\"~2..3 \"b\"?"), {"aa", "aaab"}, {"a", "aaaa"});
  expect_texts(ebnf("start: \"a\" ~ 2 [\"-\" (\"x\" | \"y\")*]"), {"aa", "aa-", "aa-xyx"}, {"a", "aax"});
  expect_texts(ebnf("start: |\"a\" start \"b\""), {"", "ab", "aabb"}, {"aab"});
}

TEST(Lark, CommonTerminalsAreImported) {
  expect_texts(ebnf("%import common.INT\n%import common.ESCAPED_STRING -> TEXT\n%import common (WS, CNAME)\n"
                    "start: INT WS TEXT WS CNAME"),
               {"12 \"a\\\"b\"\n_x1"}, {"x \"a\" b", "1 a b"});
}

TEST(Lark, ErrorsNameLineAndColumn) {
  const std::pair<const char*, const char*> cases[] = {
      {"start: missing\n", "line 1, column 8: the rule \"missing\" is not defined"},
      {"x: \"a\"", "no rule named \"start\""},
      {"start: \"a\"\nstart: \"b\"", "line 2, column 1"},
      {"start: (\"a\"", "')' is expected"},
      {"start: \"a\")", "not opened"},
      {"start: \"a", "the string has no end"},
      {"start: /a", "has no end"},
      {"start: \"b\"..\"a\"", "a range goes"},
      {"start: /a/i", "flags"},
      {"start: \"a\"~3..2", "least count"},
      {"%ignore \" \"\nstart: \"a\"", "%ignore is not supported"},
      {"%import common.NOPE\nstart: \"a\"", "has no \"NOPE\""},
      {"%import other.X\nstart: \"a\"", "only the module \"common\""},
      {"start{x}: x", "templates"},
      {"hello", "a rule \"name: body\" is expected"},
      {"start: start", "derives no text"},
  };
  for (const auto& [source, expected] : cases) {
    EXPECT_NE(error_of(source).find(expected), std::string::npos) << source << ": " << error_of(source);
  }
}

}  // namespace
}  // namespace seraph
