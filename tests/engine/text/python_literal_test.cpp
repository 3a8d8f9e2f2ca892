#include "engine/text/python_literal.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

/// The arguments of the only call, "" when the text is no list of calls.
std::string arguments(std::string_view text) {
  const auto calls = parse_python_calls(text);
  return calls && calls->size() == 1 ? calls->front().arguments : "";
}

TEST(PythonLiteral, ReadsStringsAsPythonDoes) {
  EXPECT_EQ(arguments(R"([f(a='x' "y", b=r'\n', c='''q
'w''')])"),
            R"({"a": "xy", "b": "\\n", "c": "q\n'w"})");
  EXPECT_EQ(arguments(R"([f(a='\x41\101\u4e0a\U0001F600\q')])"), R"({"a": "AA上😀\\q"})");
  for (const char* text : {"[f(a='x\n')]", "[f(a='x)]", "[f(a=b'x')]", "[f(a=f'{x}')]", R"([f(a='\xZZ')])",
                           R"([f(a='\ud800')])", R"([f(a='\N{DASH}')])"}) {
    EXPECT_EQ(arguments(text), "") << text;
  }
}

TEST(PythonLiteral, ReadsNumbersAsPythonDoes) {
  EXPECT_EQ(arguments("[f(a=1_000, b=-0.5, c=1e3, d=.5, e=00, f=123456789012345678901)]"),
            R"({"a": 1000, "b": -0.5, "c": 1000.0, "d": 0.5, "e": 0, "f": 123456789012345678901})");
  for (const char* text : {"[f(a=007)]", "[f(a=1j)]", "[f(a=1e999)]", "[f(a=1+1)]", "[f(a=0x10)]", "[f(a=1__0)]",
                           "[f(a=-)]", "[f(a=inf)]"}) {
    EXPECT_EQ(arguments(text), "") << text;
  }
}

TEST(PythonLiteral, ReadsContainers) {
  EXPECT_EQ(arguments("[f(a=[1, 'x',], b=(1,), c=(2), d={'k': {'l': ()}}, e=[])]"),
            R"({"a": [1, "x"], "b": [1], "c": 2, "d": {"k": {"l": []}}, "e": []})");
  for (const char* text : {"[f(a={1: 2})]", "[f(a={1})]", "[f(a=[1 2])]", "[f(a=[,])]", "[f(a={'k' 1})]"}) {
    EXPECT_EQ(arguments(text), "") << text;
  }
}

TEST(PythonLiteral, ReadsListsOfCallsWithKeywordsOnly) {
  std::string_view text = "[a.b(x=1), c()] rest";
  const auto calls = parse_python_calls(text);
  ASSERT_TRUE(calls);
  ASSERT_EQ(calls->size(), 2u);
  EXPECT_EQ(calls->front().name, "a.b");
  EXPECT_EQ(calls->back().arguments, "{}");
  EXPECT_EQ(text, " rest");
  for (const char* bad : {"[]", "f()", "[f(1)]", "[f(a=1, a=2)]", "[f(**{})]", "[f(a=g())]", "[f() g()]", "[f(a=x)]"}) {
    std::string_view rest = bad;
    EXPECT_FALSE(parse_python_calls(rest)) << bad;
  }
}

}  // namespace
}  // namespace seraph
