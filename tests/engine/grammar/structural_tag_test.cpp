#include "tests/engine/grammar/grammar_support.h"

namespace seraph {
namespace {

using namespace test;  // NOLINT: the helpers are the vocabulary of these tests

TEST(StructuralTagTest, FreeTextEndsAtATrigger) {
  const auto grammar = compiled(compile_structural_tag(
      *Json::parse(R"({"structures": [{"begin": "<f>", "schema": {"type": "integer"}, "end": "</f>"}],
      "triggers": ["<f"]})")));
  expect_texts(grammar, {"", "hi <", "a<f>1</f>b<f>2</f>"}, {"<f", "<f>x</f>", "<f>1"});
}

TEST(StructuralTagTest, FormatsNest) {
  const auto grammar = compiled(compile_structural_tag(*Json::parse(R"({"format": {"type": "sequence", "elements": [
      {"type": "tag", "begin": "<t>", "content": {"type": "any_text"}, "end": "</t>"}, {"type": "regex", "pattern": "[0-9]+"}]}})")));
  expect_texts(grammar, {"<t>a<b</t>12", "<t></t>1"}, {"12", "<t>a</t>", "<t>a</t>1</t>1"});
}

TEST(StructuralTagTest, MistakesAreNamed) {
  EXPECT_NE(compile_structural_tag(*Json::parse(R"({"format": {"type": "nope"}})")).error().message.find("nope"),
            std::string::npos);
  EXPECT_FALSE(compile_structural_tag(*Json::parse(R"({"structures": [], "triggers": ["<f"]})")).ok());
}

}  // namespace
}  // namespace seraph
