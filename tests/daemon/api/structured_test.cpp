#include "daemon/api/structured.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

using Kind = ConstraintSource::Kind;

struct Outcome {
  std::string error;
  ConstraintSource source;
};

Outcome read(const std::string& members) {
  Outcome outcome;
  const auto error = read_constraint(Json::parse("{" + members + "}").value(), outcome.source);
  if (error) outcome.error = error->message;
  return outcome;
}

TEST(Structured, EverySpellingOfAConstraintIsRead) {
  const std::pair<const char*, Kind> cases[] = {
      {R"("response_format":{"type":"json_object"})", Kind::kJsonObject},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"string"}}})",
       Kind::kJsonSchema},
      {R"("response_format":{"type":"structural_tag","format":{"type":"any_text"}})", Kind::kStructuralTag},
      {R"("structured_outputs":{"json":{"type":"string"}})", Kind::kJsonSchema},
      {R"("structured_outputs":{"json":"{\"type\":\"string\"}"})", Kind::kJsonSchema},
      {R"("structured_outputs":{"json_object":true})", Kind::kJsonObject},
      {R"("structured_outputs":{"regex":"a"})", Kind::kRegex},
      {R"("structured_outputs":{"choice":["a",""]})", Kind::kChoice},
      {R"("structured_outputs":{"grammar":"root ::= \"a\""})", Kind::kGrammar},
      {R"("structured_outputs":{"structural_tag":"{\"format\":{\"type\":\"any_text\"}}"})", Kind::kStructuralTag},
      {R"("guided_json":{"type":"string"})", Kind::kJsonSchema},
      {R"("guided_regex":"a","guided_decoding_backend":"outlines")", Kind::kRegex},
      {R"("guided_choice":["a"])", Kind::kChoice},
      {R"("guided_grammar":"root ::= \"a\"")", Kind::kGrammar},
      {R"("guided_json_object":true)", Kind::kJsonObject},
      {R"("structural_tag":"{\"structures\":[],\"triggers\":[]}")", Kind::kStructuralTag},
      {R"("response_format":{"type":"text"})", Kind::kNone},
      {R"("response_format":null,"structured_outputs":null,"guided_json":null)", Kind::kNone},
      {R"("guided_decoding_backend":"outlines","guided_whitespace_pattern":" ")", Kind::kNone},
  };
  for (const auto& [members, kind] : cases) {
    const Outcome outcome = read(members);
    EXPECT_EQ(outcome.error, "") << members;
    EXPECT_EQ(outcome.source.kind, kind) << members;
  }
}

TEST(Structured, WrongConstraintsAreRefusedInWords) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("response_format":{"type":"json_schema"})", "the 'json_schema' field must be provided"},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"x"}})", "none are specified"},
      {R"("response_format":{"type":"structural_tag"})", "Invalid response_format structural_tag specification"},
      {R"("structured_outputs":{})", "none are specified"},
      {R"("structured_outputs":{"regex":"a","choice":["b"]})", "only use one kind of constraints"},
      {R"("structured_outputs":{"json_object":false})", "must be True if set"},
      {R"("structured_outputs":{"json":"{not json"})", "Invalid JSON grammar specification."},
      {R"("structured_outputs":{"choice":[]})", "Choice '[]' cannot be an empty list"},
      {R"("structured_outputs":{"grammar":""})", "structured_outputs.grammar cannot be an empty string"},
      {R"("structured_outputs":{"structural_tag":"{}"})", "Invalid structured_outputs structural_tag specification"},
      {R"("structured_outputs":{"regex":"a"},"response_format":{"type":"json_object"})", "multiple are specified"},
      {R"("guided_regex":"a","guided_choice":["a"])", "multiple are specified: guided_regex and guided_choice"},
      {R"("guided_json":{},"guided_whitespace_pattern":"x*")", "guided_whitespace_pattern 'x*' cannot be honoured"},
  };
  for (const auto& [members, expected] : cases) {
    EXPECT_NE(read(members).error.find(expected), std::string::npos) << members << ": " << read(members).error;
  }
}

TEST(Structured, TheSameConstraintMayBeSaidTwice) {
  const Outcome outcome = read(R"("guided_regex":"a","structured_outputs":{"regex":"a"})");
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.source.kind, Kind::kRegex);
}

TEST(Structured, CompactTextIsAskedForInThreeWays) {
  EXPECT_TRUE(read(R"("structured_outputs":{"json":{}})").source.any_space);
  EXPECT_TRUE(read(R"("structured_outputs":{"json":{},"whitespace_pattern":"[\\n\\t ]*"})").source.any_space);
  EXPECT_FALSE(read(R"("structured_outputs":{"json":{},"disable_any_whitespace":true})").source.any_space);
  EXPECT_FALSE(read(R"("structured_outputs":{"json":{},"whitespace_pattern":" ?"})").source.any_space);
  EXPECT_FALSE(read(R"("guided_json":{},"guided_whitespace_pattern":" ")").source.any_space);
}

TEST(Structured, ClosingASchemaTouchesSchemasOnly) {
  const Json open = Json::parse(R"({"properties":{"properties":{"properties":{"a":{}}},
      "enum":{"enum":[{"properties":{}}]}},"$defs":{"enum":{"properties":{}}},
      "anyOf":[{"properties":{},"additionalProperties":true}]})")
                        .value();
  const Json closed = Json::parse(R"({"properties":{"properties":{"properties":{"a":{}},"additionalProperties":false},
      "enum":{"enum":[{"properties":{}}]}},"$defs":{"enum":{"properties":{},"additionalProperties":false}},
      "anyOf":[{"properties":{},"additionalProperties":true}],"additionalProperties":false})")
                          .value();
  EXPECT_EQ(without_additional_properties(open).dump(), closed.dump());
  const auto strict = read(
      R"("response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"properties":{}}}})");
  EXPECT_NE(strict.source.value.find("additionalProperties"), nullptr);
}

}  // namespace
}  // namespace seraph
