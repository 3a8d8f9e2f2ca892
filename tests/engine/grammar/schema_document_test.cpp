#include "engine/grammar/schema_document.h"

#include "tests/engine/grammar/grammar_support.h"

namespace seraph {
namespace {

using namespace test;  // NOLINT: the helpers are the vocabulary of these tests

TEST(SchemaDocumentTest, ReferencesLeadByPointerAnchorAndId) {
  expect_texts(schema(R"({"$ref": "#/$defs/a%20b", "$defs": {"a b": {"type": "null"}}})"), {"null"}, {"1"});
  expect_texts(schema(R"({"$ref": "#here", "$defs": {"x": {"$anchor": "here", "type": "null"}}})"), {"null"}, {"1"});
  expect_texts(
      schema(
          R"({"$id": "http://a/b/c.json", "$ref": "d.json", "$defs": {"x": {"$id": "http://a/b/d.json", "type": "null"}}})"),
      {"null"}, {"1"});
}

TEST(SchemaDocumentTest, DynamicReferencesTakeTheOutermostAnchor) {
  expect_texts(
      schema(R"({"$id": "http://r/root", "$ref": "list", "$defs": {"foo": {"$dynamicAnchor": "items", "type": "string"},
      "list": {"$id": "list", "type": "array", "items": {"$dynamicRef": "#items"}, "$defs": {"items": {"$dynamicAnchor": "items"}}}}})"),
      {R"(["a"])"}, {"[1]"});
}

TEST(SchemaDocumentTest, MetaschemasAreKnown) {
  for (const char* draft :
       {"http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"}) {
    expect_texts(
        schema(std::string("{\"$ref\": \"") + draft + "\"}"),
        {R"({"type": "object", "properties": {"a": {"minLength": 1}}})", "true", R"({"not": {"enum": [null]}})"},
        {R"({"minLength": -1})", R"({"properties": {"a": {"type": "text"}}})", "1", R"({"required": ["a", "a"]})"});
  }
  expect_texts(schema(R"({"$ref": "http://json-schema.org/draft-07/schema#/definitions/nonNegativeInteger"})"), {"1"},
               {"-1"});
}

TEST(SchemaDocumentTest, WhatIsOutsideOrNowhereIsRefused) {
  EXPECT_NE(schema_error(R"({"$ref": "http://elsewhere/x.json"})").find("outside"), std::string::npos);
  EXPECT_NE(schema_error(R"({"$ref": "#/$defs/none"})"), "");
  EXPECT_NE(schema_error(R"({"$ref": "#"})"), "");
}

TEST(SchemaDocumentTest, UrisResolveAsRfc3986Says) {
  EXPECT_EQ(grammar::resolve_uri("http://a/b/c/d?q", "../g"), "http://a/b/g");
  EXPECT_EQ(grammar::resolve_uri("http://a/b/c", "#x"), "http://a/b/c#x");
  EXPECT_EQ(grammar::resolve_uri("urn:x:y", "#x"), "urn:x:y#x");
  EXPECT_EQ(grammar::resolve_uri("http://a/b/c", "/g"), "http://a/g");
}

}  // namespace
}  // namespace seraph
