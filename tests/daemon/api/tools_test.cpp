#include "daemon/api/tools.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

constexpr const char* kTools = R"("tools":[{"type":"function","function":{"name":"f"}}])";

/// A vocabulary without pieces: what a plan asks of the tokenizer.
class NoPieces : public Tokenizer {
 public:
  std::vector<int32_t> encode(std::string_view, bool, bool) const override { return {}; }
  std::string decode(std::span<const int32_t>, bool) const override { return {}; }
  std::unique_ptr<DecodeStream> start_decoding(bool) const override { return nullptr; }
  int32_t vocab_size() const override { return 0; }
  std::string_view piece(int32_t) const override { return {}; }
  int32_t find_piece(std::string_view) const override { return -1; }
  bool is_special(int32_t) const override { return false; }
  const Json& special_tokens() const override { return none_; }
  std::string chat_template(bool) const override { return {}; }

 private:
  Json none_;
};

struct Outcome {
  std::string error;
  OutputPlan plan;
};

Outcome plan(const std::string& members, const ApiOptions& options) {
  Outcome outcome;
  const auto error = read_output_plan(Json::parse("{" + members + "}").value(), options, NoPieces(), outcome.plan);
  if (error) outcome.error = error->message;
  return outcome;
}

ApiOptions with_parser() {
  ApiOptions options;
  options.enable_auto_tool_choice = true;
  options.tool_parser = "mistral";
  return options;
}

std::string with_choice(const std::string& choice) { return std::string(kTools) + R"(,"tool_choice":)" + choice; }

TEST(Tools, AutoAndAbsentChoicesParse) {
  for (const std::string& members : {std::string(kTools), with_choice("\"auto\"")}) {
    const Outcome outcome = plan(members, with_parser());
    EXPECT_EQ(outcome.error, "");
    EXPECT_EQ(outcome.plan.format.tool_parser, "mistral");
    EXPECT_TRUE(outcome.plan.short_call_ids);
    EXPECT_NE(plan(members, {}).error.find("requires --enable-auto-tool-choice"), std::string::npos);
  }
}

TEST(Tools, NoneAndNullDoNotParse) {
  for (const std::string& members : {with_choice("\"none\""), with_choice("null"), std::string(R"("tools":null)"),
                                     std::string(R"("tool_choice":"none")"), std::string()}) {
    for (const ApiOptions& options : {with_parser(), ApiOptions{}}) {
      const Outcome outcome = plan(members, options);
      EXPECT_EQ(outcome.error, "") << members;
      EXPECT_FALSE(outcome.plan.parses()) << members;
    }
  }
}

TEST(Tools, ForcedChoicesNeedAParserAndNothingElse) {
  const std::string named = with_choice(R"({"type":"function","function":{"name":"f"}})");
  EXPECT_EQ(plan(named, {}).error, "tool_choice=function \"f\" requires --tool-call-parser to be set");
  EXPECT_EQ(plan(with_choice("\"required\""), {}).error,
            "tool_choice=\"required\" requires --tool-call-parser to be set");
  ApiOptions parser_only = with_parser();
  parser_only.enable_auto_tool_choice = false;
  const Outcome required = plan(with_choice("\"required\""), parser_only);
  EXPECT_EQ(required.error, "");
  EXPECT_TRUE(required.plan.forced.given());
  EXPECT_FALSE(required.plan.forced_name);
  EXPECT_EQ(required.plan.format.tool_parser, "mistral");
  EXPECT_TRUE(plan(named, parser_only).plan.forced_name);
}

TEST(Tools, AForcedCallIsNoPlaceForAnotherConstraint) {
  const std::string members = with_choice("\"required\"") + R"(,"structured_outputs":{"regex":"a"})";
  EXPECT_EQ(plan(members, with_parser()).error,
            "You can only either use constraints for structured outputs or tools, not both.");
}

TEST(Tools, FormatsWithoutAGrammarAreForcedAsJson) {
  ApiOptions options = with_parser();
  options.tool_parser = "pythonic";
  const OutputPlan required = plan(with_choice("\"required\""), options).plan;
  EXPECT_EQ(required.format.tool_parser, "llama3_json");
  EXPECT_EQ(required.format.named_call, "");
  EXPECT_FALSE(required.needs_special_tokens);
  EXPECT_EQ(plan(with_choice(R"({"type":"function","function":{"name":"f"}})"), options).plan.format.named_call, "f");
}

TEST(Tools, WrongChoicesAreRefused) {
  const std::pair<std::string, const char*> cases[] = {
      {with_choice("\"any\""), "Invalid value for `tool_choice`: any!"},
      {with_choice("1"), "Invalid value for `tool_choice`: 1!"},
      {with_choice("{}"), "Invalid value for `function`: `None`"},
      {with_choice(R"({"type":"function","function":{"name":"g"}})"), "does not match any of the specified"},
      {R"("tool_choice":"auto")", "When using `tool_choice`, `tools` must be set."},
      {R"("tools":[])", "must not be an empty array"},
  };
  for (const auto& [members, expected] : cases) {
    EXPECT_NE(plan(members, with_parser()).error.find(expected), std::string::npos) << members;
  }
}

TEST(Tools, TheTemplateTellsTheParser) {
  EXPECT_EQ(guess_tool_parser("... within <tool_call></tool_call> XML tags"), "hermes");
  EXPECT_EQ(guess_tool_parser("<tool_call>\n<function=x>\n<parameter=y>"), "qwen3_coder");
  EXPECT_EQ(guess_tool_parser("{{ 'Environment: ipython' }}"), "llama3_json");
  EXPECT_EQ(guess_tool_parser("[AVAILABLE_TOOLS] [TOOL_CALLS]"), "mistral");
  EXPECT_EQ(guess_tool_parser("{{ message.content }}"), "");
}

}  // namespace
}  // namespace seraph
