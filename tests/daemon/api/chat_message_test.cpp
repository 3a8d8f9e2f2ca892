#include "daemon/api/chat_message.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

std::string delta(const TextDeltas& deltas, const std::vector<std::string>& ids = {"a", "b"}) {
  std::string out = "{";
  append_parsed_delta(out, ParsedDeltas{deltas, ids});
  return out + "}";
}

std::string message(ParsedText parsed, std::string_view echo = "") {
  Choice choice;
  choice.parsed = std::move(parsed);
  choice.call_ids = {"a", "b"};
  std::string out = "{\"role\":\"assistant\"";
  append_message(out, choice, echo);
  return out + "}";
}

TEST(ChatMessage, ADeltaHasOnlyTheKeysThatItNeeds) {
  using Kind = TextDelta::Kind;
  EXPECT_EQ(delta({}), "{}");
  EXPECT_EQ(delta({{Kind::kContent, "x"}}), R"({"content":"x"})");
  EXPECT_EQ(delta({{Kind::kReasoning, "r"}, {Kind::kContent, "x"}}),
            R"({"reasoning_content":"r","reasoning":"r","content":"x"})");
  EXPECT_EQ(delta({{Kind::kArguments, "1}", 1}}), R"({"tool_calls":[{"index":1,"function":{"arguments":"1}"}}]})");
}

TEST(ChatMessage, ManyCallsInOneDeltaAreOneEntryEach) {
  using Kind = TextDelta::Kind;
  EXPECT_EQ(
      delta({{Kind::kArguments, "}", 0},
             {Kind::kCallStart, "g", 1},
             {Kind::kArguments, "{", 1},
             {Kind::kArguments, "}", 1}}),
      R"({"tool_calls":[{"index":0,"function":{"arguments":"}"}},{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]})");
}

TEST(ChatMessage, AMessageWithCallsHasNullForNoContent) {
  const std::string tail = R"(,"refusal":null,"annotations":null,"audio":null,"function_call":null)";
  EXPECT_EQ(
      message({.content = "\n\n", .calls = {{"f", "{}"}}}),
      R"({"role":"assistant","content":null)" + tail +
          R"(,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}],"reasoning":null})");
  EXPECT_EQ(message({.reasoning = "r"}),
            R"({"role":"assistant","content":null)" + tail + R"(,"reasoning_content":"r","reasoning":"r"})");
  EXPECT_EQ(message({}, "echo "), R"({"role":"assistant","content":"echo ")" + tail + R"(,"reasoning":null})");
}

}  // namespace
}  // namespace seraph
