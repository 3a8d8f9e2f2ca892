#include "tests/engine/grammar/grammar_support.h"

namespace seraph {
namespace {

using namespace test;  // NOLINT: the helpers are the vocabulary of these tests

TEST(SchemaKeywordsTest, NumbersKeepTheirBoundsExactly) {
  expect_texts(schema(R"({"type": "integer", "minimum": -3, "maximum": 120})"), {"-3", "0", "99", "120"},
               {"-4", "121", "1.0", "01", ""});
  expect_texts(schema(R"({"type": "number", "exclusiveMinimum": 0.5, "maximum": 2.25})"),
               {"0.51", "2.25", "2.250", "1"}, {"0.5", "0.50", "2.26", "-1", "0"});
  expect_texts(schema(R"({"type": "number", "multipleOf": 0.25})"), {"0.5", "-1.75", "3", "0"}, {"0.3", "1.26"});
}

TEST(SchemaKeywordsTest, StringsCountCharactersNotBytesOrEscapes) {
  expect_texts(schema(R"({"type": "string", "minLength": 2, "maxLength": 3})"),
               {R"("ab")", R"("上海")", R"("\n😀")", R"("\ud83d\ude00x")"},
               {R"("a")", R"("abcd")", R"("\n")", "\"a\n\""});
  expect_texts(schema(R"({"type": "string", "pattern": "^a|b$"})"), {R"("ax")", R"("xb")"}, {R"("xa")"});
}

TEST(SchemaKeywordsTest, ItemsPrefixesAndContains) {
  expect_texts(
      schema(
          R"({"prefixItems": [{"const": 1}], "items": {"type": "string"}, "minItems": 1, "maxItems": 3, "type": "array"})"),
      {"[1]", R"([1, "a", "b"])"}, {"[]", R"([2])", "[1, 2]", R"([1,"a","b","c"])"});
  expect_texts(schema(R"({"type": "array", "items": {"type": "integer"}, "contains": {"const": 5}, "maxContains": 1})"),
               {"[1, 5]", "[5]"}, {"[1]", "[5, 5]", "[]"});
}

TEST(SchemaKeywordsTest, ItemsMustDifferWhereTheSchemaSaysSo) {
  const auto grammar = schema(R"({"type": "array", "uniqueItems": true})");
  expect_texts(grammar, {"[]", "[1, 2]", R"([{"a": 1}, {"a": 2}])", "[1, true]", "[[1], [1, 1]]"},
               {"[1, 1]", "[1, 1.0]", R"([{"a": 1, "b": 2}, {"b": 2, "a": 1}])"});
}

TEST(SchemaKeywordsTest, ObjectsKnowTheirMembers) {
  const auto grammar =
      schema(R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["b"],
                                  "patternProperties": {"^x-": {"type": "boolean"}}, "additionalProperties": {"type": "null"}})");
  expect_texts(grammar, {R"({"b": "s"})", R"({"a":1,"b":"s","x-y":true,"other":null})"},
               {R"({"a": 1})", R"({"b": 1})", R"({"b":"s","x-y":null})", R"({"b":"s","other":1})",
                R"({"b":"s","\u0061":null})"});
  expect_texts(
      schema(R"({"type": "object", "propertyNames": {"maxLength": 2}, "minProperties": 1, "maxProperties": 2})"),
      {R"({"ab": 1})"}, {"{}", R"({"abc": 1})", R"({"a":1,"b":2,"c":3})"});
}

TEST(SchemaKeywordsTest, BadKeywordsAreNamed) {
  EXPECT_NE(schema_error(R"({"type": "strin"})").find("strin"), std::string::npos);
  EXPECT_NE(schema_error(R"({"minLength": -1})").find("minLength"), std::string::npos);
  EXPECT_NE(schema_error(R"({"pattern": "(a)\\1"})").find("back reference"), std::string::npos);
  EXPECT_NE(schema_error("5"), "");
}

}  // namespace
}  // namespace seraph
