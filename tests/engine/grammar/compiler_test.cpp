#include "tests/engine/grammar/grammar_support.h"

namespace seraph {
namespace {

using namespace test;  // NOLINT: the helpers are the vocabulary of these tests

TEST(CompilerTest, ChoicesAreTakenByteForByte) {
  const auto grammar = compiled(compile_choice({"上海", "上海市", "no"}));
  expect_texts(grammar, {"上海", "上海市", "no"}, {"上", "n", "nono", ""});
  EXPECT_FALSE(compile_choice({}).ok());
}

TEST(CompilerTest, AnyJsonObjectIsAnObject) {
  expect_texts(compiled(compile_json_object()), {"{}", "{ \"a\" : [1, {\"b\": null}] }"},
               {"[]", "1", "{\"a\"}", " {}"});
}

TEST(CompilerTest, CompactStyleHasNoOtherSpace) {
  const auto grammar = compiled(compile_json_schema(
      *Json::parse(R"({"properties": {"a": {"type": "array"}}, "type": "object"})"), {.any_space = false}));
  expect_texts(grammar, {R"({"a": [1, 2]})"}, {R"({"a":[1]})", R"({ "a": [1]})"});
}

TEST(CompilerTest, LimitsEndInErrors) {
  CompileLimits limits;
  limits.source_bytes_max = 10;
  EXPECT_FALSE(compile_regex("aaaaaaaaaaaaaaa", limits).ok());
  limits = {};
  limits.work_max = 100;
  EXPECT_FALSE(compile_json_schema(Json(true), {}, limits).ok());
}

TEST(CompilerTest, WhatNothingSatisfiesCompilesAndSaysSo) {
  EXPECT_TRUE(schema(R"({"not": {}})")->matches_nothing());
  EXPECT_TRUE(
      schema(R"({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]})")->matches_nothing());
  EXPECT_FALSE(schema("true")->matches_nothing());
}

}  // namespace
}  // namespace seraph
