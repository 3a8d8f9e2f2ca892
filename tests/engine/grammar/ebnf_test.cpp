#include "tests/engine/grammar/grammar_support.h"

namespace seraph {
namespace {

using namespace test;  // NOLINT: the helpers are the vocabulary of these tests

TEST(EbnfTest, LeftRightAndMutualRecursionWork) {
  expect_texts(ebnf("root ::= root \"+\" root | [0-9]"), {"1", "1+2+3"}, {"1+", "12", ""});
  expect_texts(ebnf("root ::= \"a\" root \"a\" | \"b\""), {"b", "aabaa"}, {"aab"});
  expect_texts(ebnf("root ::= a root \"x\" | \"y\"\na ::= \"\""), {"y", "yxx"}, {"x"});
  expect_texts(ebnf("root ::= s\ns ::= s s s | s s | \"a\" | \"\""), {"", std::string(50, 'a')}, {"b"});
}

TEST(EbnfTest, RepetitionsEscapesAndCommentsAreRead) {
  expect_texts(ebnf("# c\nroot ::= a{2,3} # d\n  | \"\\u4e0a\\x41\"\na ::= [^a-c\\n]\n"), {"xy", "xyz", "上A"},
               {"x", "ab", "x\n"});
}

TEST(EbnfTest, ErrorsNameLineAndColumn) {
  EXPECT_NE(compile_ebnf("root ::= \"a\"\nroot ::= \"b\"").error().message.find("line 2, column 1"), std::string::npos);
  EXPECT_NE(compile_ebnf("root ::= b").error().message.find("line 1, column 10"), std::string::npos);
  for (const char* bad :
       {"", "a ::= \"x\"", "root ::= \"abc", "root ::= [abc", "root ::= \"a\")", "root \"a\"", "root ::= \"\\q\"",
        "root ::= [z-a]", "root ::= *", "root ::= \"a\"{-1}", "root ::= \"a\" root"}) {
    EXPECT_FALSE(compile_ebnf(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace seraph
