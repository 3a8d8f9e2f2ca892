#include "daemon/commands/check_grammar.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

std::string answer(const char* grammar_case) {
  GrammarChecker checker;
  return checker.answer(Json::parse(grammar_case).value()).dump();
}

TEST(CheckGrammar, EachKindOfConstraintIsJudged) {
  EXPECT_EQ(answer(R"({"schema": {"type": "integer"}, "text": "12"})"), R"({"compiled":true,"accepted":true})");
  EXPECT_EQ(answer(R"({"regex": "ab*", "text": "abc"})"), R"({"compiled":true,"accepted":false,"position":2})");
  EXPECT_EQ(answer(R"({"grammar": "root ::= \"ab\"", "text": "a"})"),
            R"({"compiled":true,"accepted":false,"position":1})");
  EXPECT_EQ(answer(R"({"choice": ["x", "y"], "text": "y"})"), R"({"compiled":true,"accepted":true})");
  EXPECT_EQ(answer(R"({"structural_tag": {"format": {"type": "any_text"}}, "text": "z"})"),
            R"({"compiled":true,"accepted":true})");
}

TEST(CheckGrammar, WhatDoesNotCompileSaysWhy) {
  for (const char* wrong : {R"({"regex": "(", "text": ""})", R"({"text": "x"})", R"({"regex": "a"})",
                            R"({"choice": "x", "text": "x"})", R"({"schema": {"type": "x"}, "text": "x"})"}) {
    const Json got = GrammarChecker().answer(Json::parse(wrong).value());
    EXPECT_FALSE(got.find("compiled")->as_bool()) << wrong;
    EXPECT_NE(got.find("error"), nullptr) << wrong;
  }
}

}  // namespace
}  // namespace seraph
