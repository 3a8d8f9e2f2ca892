#include "tests/engine/grammar/grammar_support.h"

namespace seraph {
namespace {

using namespace test;  // NOLINT: the helpers are the vocabulary of these tests

TEST(SchemaCombinersTest, CombinersMeanWhatTheySay) {
  expect_texts(schema(R"({"allOf": [{"type": "integer"}, {"minimum": 3}, {"not": {"const": 5}}]})"), {"3", "6"},
               {"2", "5", "\"a\""});
  expect_texts(schema(R"({"oneOf": [{"type": "integer", "minimum": 0}, {"type": "integer", "maximum": 9}]})"),
               {"-1", "10"}, {"5", "0"});
  expect_texts(schema(R"({"if": {"type": "string"}, "then": {"maxLength": 1}, "else": {"type": "null"}})"),
               {"\"a\"", "null"}, {"\"ab\"", "1"});
  expect_texts(schema(R"({"type": "object", "dependentRequired": {"a": ["b"]}})"),
               {"{}", R"({"b": 1})", R"({"b": 1, "a": 1})"}, {R"({"a": 1})"});
}

TEST(SchemaCombinersTest, UnevaluatedMembersAreWhatNoBranchLookedAt) {
  const auto grammar = schema(R"({"type": "object", "properties": {"k": {"enum": ["a", "b"]}}, "required": ["k"],
    "if": {"properties": {"k": {"const": "a"}}}, "then": {"properties": {"x": {"type": "integer"}}}, "unevaluatedProperties": false})");
  expect_texts(grammar, {R"({"k": "a", "x": 1})", R"({"k": "b"})"}, {R"({"k": "b", "x": 1})", R"({"k": "a", "y": 1})"});
}

TEST(SchemaCombinersTest, TooManyCombinationsAreRefused) {
  std::string schema_text = R"({"type": "string", "allOf": [)";
  for (int i = 0; i < 14; ++i)
    schema_text += R"({"anyOf": [{"minLength": )" + std::to_string(i) + R"(}, {"maxLength": 90}, {"pattern": "a)" +
                   std::to_string(i) + R"("}]},)";
  schema_text += "{}]}";
  EXPECT_NE(schema_error(schema_text), "");
}

}  // namespace
}  // namespace seraph
