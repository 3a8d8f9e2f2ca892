// The metaschemas that a schema may refer to, reduced to what they assert: annotations are left out, among them
// `format` and, in draft 7, `default`.
#include <string_view>

#include "engine/grammar/schema_document.h"

namespace seraph::grammar {
namespace {

struct Metaschema {
  std::string_view uri, text;
};

constexpr Metaschema kMetaschemas[] = {
    {"http://json-schema.org/draft-07/schema", R"json({
"definitions": {
  "schemaArray": {"type": "array", "minItems": 1, "items": {"$ref": "#"}},
  "nonNegativeInteger": {"type": "integer", "minimum": 0},
  "nonNegativeIntegerDefault0": {"type": "integer", "minimum": 0},
  "simpleTypes": {"enum": ["array", "boolean", "integer", "null", "number", "object", "string"]},
  "stringArray": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
  "schemaMap": {"type": "object", "additionalProperties": {"$ref": "#"}}
},
"type": ["object", "boolean"],
"properties": {
  "$id": {"type": "string"}, "$schema": {"type": "string"}, "$ref": {"type": "string"}, "$comment": {"type": "string"},
  "title": {"type": "string"}, "description": {"type": "string"},
  "readOnly": {"type": "boolean"}, "writeOnly": {"type": "boolean"}, "examples": {"type": "array"},
  "definitions": {"$ref": "#/definitions/schemaMap"},
  "type": {"anyOf": [{"$ref": "#/definitions/simpleTypes"},
    {"type": "array", "items": {"$ref": "#/definitions/simpleTypes"}, "minItems": 1, "uniqueItems": true}]},
  "enum": {"type": "array"}, "const": true, "default": true,
  "multipleOf": {"type": "number", "exclusiveMinimum": 0},
  "maximum": {"type": "number"}, "exclusiveMaximum": {"type": "number"},
  "minimum": {"type": "number"}, "exclusiveMinimum": {"type": "number"},
  "maxLength": {"$ref": "#/definitions/nonNegativeInteger"}, "minLength": {"$ref": "#/definitions/nonNegativeInteger"},
  "pattern": {"type": "string"}, "format": {"type": "string"},
  "contentMediaType": {"type": "string"}, "contentEncoding": {"type": "string"},
  "items": {"anyOf": [{"$ref": "#"}, {"$ref": "#/definitions/schemaArray"}]}, "additionalItems": {"$ref": "#"},
  "maxItems": {"$ref": "#/definitions/nonNegativeInteger"}, "minItems": {"$ref": "#/definitions/nonNegativeInteger"},
  "uniqueItems": {"type": "boolean"}, "contains": {"$ref": "#"},
  "maxProperties": {"$ref": "#/definitions/nonNegativeInteger"}, "minProperties": {"$ref": "#/definitions/nonNegativeInteger"},
  "properties": {"$ref": "#/definitions/schemaMap"}, "required": {"$ref": "#/definitions/stringArray"},
  "patternProperties": {"$ref": "#/definitions/schemaMap"}, "additionalProperties": {"$ref": "#"},
  "dependencies": {"type": "object",
    "additionalProperties": {"anyOf": [{"$ref": "#"}, {"$ref": "#/definitions/stringArray"}]}},
  "propertyNames": {"$ref": "#"},
  "if": {"$ref": "#"}, "then": {"$ref": "#"}, "else": {"$ref": "#"},
  "allOf": {"$ref": "#/definitions/schemaArray"}, "anyOf": {"$ref": "#/definitions/schemaArray"},
  "oneOf": {"$ref": "#/definitions/schemaArray"}, "not": {"$ref": "#"}
}})json"},
    {"https://json-schema.org/draft/2020-12/schema", R"json({
"$dynamicAnchor": "meta",
"allOf": [{"$ref": "meta/core"}, {"$ref": "meta/validation"}, {"$ref": "meta/applicator"},
  {"$ref": "meta/unevaluated"}, {"$ref": "meta/meta-data"}, {"$ref": "meta/format-annotation"},
  {"$ref": "meta/content"}],
"type": ["object", "boolean"],
"properties": {
  "definitions": {"type": "object", "additionalProperties": {"$dynamicRef": "#meta"}},
  "dependencies": {"type": "object",
    "additionalProperties": {"anyOf": [{"$dynamicRef": "#meta"}, {"$ref": "meta/validation#/$defs/stringArray"}]}},
  "$recursiveAnchor": {"$ref": "meta/core#/$defs/anchorString"}, "$recursiveRef": {"type": "string"}
}})json"},
    {"https://json-schema.org/draft/2020-12/meta/core", R"json({
"$dynamicAnchor": "meta", "type": ["object", "boolean"],
"properties": {
  "$schema": {"type": "string"}, "$id": {"type": "string", "pattern": "^[^#]*#?$"}, "$ref": {"type": "string"},
  "$anchor": {"$ref": "#/$defs/anchorString"}, "$dynamicRef": {"type": "string"},
  "$dynamicAnchor": {"$ref": "#/$defs/anchorString"},
  "$vocabulary": {"type": "object", "additionalProperties": {"type": "boolean"}}, "$comment": {"type": "string"},
  "$defs": {"type": "object", "additionalProperties": {"$dynamicRef": "#meta"}}
},
"$defs": {
  "anchorString": {"type": "string", "pattern": "^[A-Za-z_][-A-Za-z0-9._]*$"},
  "uriString": {"type": "string"}, "uriReferenceString": {"type": "string"}
}})json"},
    {"https://json-schema.org/draft/2020-12/meta/applicator", R"json({
"$dynamicAnchor": "meta", "type": ["object", "boolean"],
"properties": {
  "prefixItems": {"$ref": "#/$defs/schemaArray"}, "items": {"$dynamicRef": "#meta"},
  "contains": {"$dynamicRef": "#meta"}, "properties": {"$ref": "#/$defs/schemaMap"},
  "patternProperties": {"$ref": "#/$defs/schemaMap"}, "additionalProperties": {"$dynamicRef": "#meta"},
  "dependentSchemas": {"$ref": "#/$defs/schemaMap"}, "propertyNames": {"$dynamicRef": "#meta"},
  "if": {"$dynamicRef": "#meta"}, "then": {"$dynamicRef": "#meta"}, "else": {"$dynamicRef": "#meta"},
  "allOf": {"$ref": "#/$defs/schemaArray"}, "anyOf": {"$ref": "#/$defs/schemaArray"},
  "oneOf": {"$ref": "#/$defs/schemaArray"}, "not": {"$dynamicRef": "#meta"}
},
"$defs": {
  "schemaArray": {"type": "array", "minItems": 1, "items": {"$dynamicRef": "#meta"}},
  "schemaMap": {"type": "object", "additionalProperties": {"$dynamicRef": "#meta"}}
}})json"},
    {"https://json-schema.org/draft/2020-12/meta/unevaluated", R"json({
"$dynamicAnchor": "meta", "type": ["object", "boolean"],
"properties": {"unevaluatedItems": {"$dynamicRef": "#meta"}, "unevaluatedProperties": {"$dynamicRef": "#meta"}}})json"},
    {"https://json-schema.org/draft/2020-12/meta/validation", R"json({
"$dynamicAnchor": "meta", "type": ["object", "boolean"],
"properties": {
  "type": {"anyOf": [{"$ref": "#/$defs/simpleTypes"},
    {"type": "array", "items": {"$ref": "#/$defs/simpleTypes"}, "minItems": 1, "uniqueItems": true}]},
  "const": true, "enum": {"type": "array"},
  "multipleOf": {"type": "number", "exclusiveMinimum": 0},
  "maximum": {"type": "number"}, "exclusiveMaximum": {"type": "number"},
  "minimum": {"type": "number"}, "exclusiveMinimum": {"type": "number"},
  "maxLength": {"$ref": "#/$defs/nonNegativeInteger"}, "minLength": {"$ref": "#/$defs/nonNegativeInteger"}, "pattern": {"type": "string"},
  "maxItems": {"$ref": "#/$defs/nonNegativeInteger"}, "minItems": {"$ref": "#/$defs/nonNegativeInteger"}, "uniqueItems": {"type": "boolean"},
  "maxContains": {"$ref": "#/$defs/nonNegativeInteger"}, "minContains": {"$ref": "#/$defs/nonNegativeInteger"},
  "maxProperties": {"$ref": "#/$defs/nonNegativeInteger"}, "minProperties": {"$ref": "#/$defs/nonNegativeInteger"},
  "required": {"$ref": "#/$defs/stringArray"},
  "dependentRequired": {"type": "object", "additionalProperties": {"$ref": "#/$defs/stringArray"}}
},
"$defs": {
  "nonNegativeInteger": {"type": "integer", "minimum": 0},
  "nonNegativeIntegerDefault0": {"type": "integer", "minimum": 0},
  "simpleTypes": {"enum": ["array", "boolean", "integer", "null", "number", "object", "string"]},
  "stringArray": {"type": "array", "items": {"type": "string"}, "uniqueItems": true}
}})json"},
    {"https://json-schema.org/draft/2020-12/meta/meta-data", R"json({
"$dynamicAnchor": "meta", "type": ["object", "boolean"],
"properties": {
  "title": {"type": "string"}, "description": {"type": "string"}, "default": true, "deprecated": {"type": "boolean"},
  "readOnly": {"type": "boolean"}, "writeOnly": {"type": "boolean"}, "examples": {"type": "array"}
}})json"},
    {"https://json-schema.org/draft/2020-12/meta/format-annotation", R"json({
"$dynamicAnchor": "meta", "type": ["object", "boolean"], "properties": {"format": {"type": "string"}}})json"},
    {"https://json-schema.org/draft/2020-12/meta/content", R"json({
"$dynamicAnchor": "meta", "type": ["object", "boolean"],
"properties": {
  "contentEncoding": {"type": "string"}, "contentMediaType": {"type": "string"},
  "contentSchema": {"$dynamicRef": "#meta"}
}})json"},
};

}  // namespace

std::string_view find_metaschema(std::string_view uri) {
  for (const Metaschema& schema : kMetaschemas) {
    if (schema.uri == uri) return schema.text;
  }
  return "";
}

}  // namespace seraph::grammar
