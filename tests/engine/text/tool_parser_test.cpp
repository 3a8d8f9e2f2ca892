#include "engine/text/tool_parser.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "tests/engine/text/tool_cases.h"

namespace seraph {
namespace {

using test::parse_in_pieces;
using test::parse_whole;

ParsedText parse(const char* format, std::string_view text, ParseTiming timing = ParseTiming::kDecided) {
  return parse_whole(OutputFormat{.tool_parser = format, .timing = timing}, Json(), text);
}

std::vector<Json> recorded_cases() {
  std::vector<Json> cases;
  std::ifstream file(SERAPH_TEST_DATA "/golden/tools/cases.jsonl");
  for (std::string line; std::getline(file, line);) cases.push_back(Json::parse(line).value());
  return cases;
}

Json recorded_tools() { return Json::parse_file(SERAPH_TEST_DATA "/golden/tools/tools.json").value(); }

OutputFormat format_of(const Json& recorded, ParseTiming timing) {
  OutputFormat format{.timing = timing};
  if (const Json* parser = recorded.find("parser")) format.tool_parser = parser->as_string();
  if (const Json* parser = recorded.find("reasoning_parser")) format.reasoning_parser = parser->as_string();
  if (recorded.find("prompt_opens_think") != nullptr) format.start = ReasoningStart::kInside;
  return format;
}

TEST(ToolParser, ArgumentsArriveWhileTheyAreWritten) {
  auto parser = make_tool_parser("hermes", ParseTiming::kWritten, Json()).value();
  TextDeltas out;
  parser->push("Sure. <tool_call>{\"name\": \"f\", \"argu", out);
  EXPECT_EQ(out, (TextDeltas{{TextDelta::Kind::kContent, "Sure. "}}));
  out.clear();
  parser->push("ments\": {\"a\": \"x", out);
  EXPECT_EQ(out, (TextDeltas{{TextDelta::Kind::kCallStart, "f", 0}, {TextDelta::Kind::kArguments, "{\"a\": \"x", 0}}));
  out.clear();
  parser->push("y\"}}\n</tool_call>", out);
  parser->finish(out);
  EXPECT_EQ(out, (TextDeltas{{TextDelta::Kind::kArguments, "y\"}", 0}}));
}

TEST(ToolParser, ACallThatBreaksOffIsContentWhenDecidedAndStaysWhenWritten) {
  const std::string text = "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": [1, ";
  EXPECT_EQ(parse("hermes", text), (ParsedText{.content = text}));
  // White space is written with what follows it, so the piece ends at the comma.
  EXPECT_EQ(parse("hermes", text, ParseTiming::kWritten), (ParsedText{.calls = {{"f", "{\"a\": [1,"}}}));
}

TEST(ToolParser, WhatFollowsAStreamedCallThatIsNoJsonIsDroppedUpToItsEndMarker) {
  const std::string text =
      "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1,}}</tool_call>"
      "<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>";
  EXPECT_EQ(parse("hermes", text, ParseTiming::kWritten), (ParsedText{.calls = {{"f", "{\"a\": 1,"}, {"g", "{}"}}}));
}

TEST(ToolParser, ARepeatedNameIsNoCall) {
  const std::string text = "<tool_call>{\"name\": \"f\", \"name\": \"g\", \"arguments\": {}}</tool_call>";
  EXPECT_EQ(parse("hermes", text), (ParsedText{.content = text}));
}

TEST(ToolParser, AMarkerDirectlyBehindABadBlockCounts) {
  EXPECT_EQ(parse("mistral", "[TOOL_CALLS][TOOL_CALLS]ping{}"),
            (ParsedText{.content = "[TOOL_CALLS]", .calls = {{"ping", "{}"}}}));
}

TEST(ToolParser, DeepNestingIsNoCallAndNoCrash) {
  std::string text = "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": ";
  text += std::string(100'000, '[');
  EXPECT_EQ(parse("hermes", text).content, text);
  EXPECT_EQ(parse("pythonic", "[f(a=" + std::string(100'000, '[')).calls.size(), 0u);
}

TEST(ToolParser, QwenCoderTakesTypesFromTheSchema) {
  const Json tools = Json::parse(R"([{"type": "function", "function": {"name": "f", "parameters": {"properties": {
      "a": {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "b": {"type": ["string", "null"]}, "c": {"enum": [1, 2]},
      "d": {"type": "boolean"}, "e": {"type": "string"}}}}}])")
                         .value();
  const std::string text =
      "<function=f><parameter=a>3</parameter><parameter=b>null</parameter><parameter=c>2</parameter>"
      "<parameter=d>False</parameter><parameter=e>\"x\"\n\t</parameter></function>";
  EXPECT_EQ(parse_whole(OutputFormat{.tool_parser = "qwen3_coder"}, tools, text),
            (ParsedText{.calls = {{"f", R"({"a": 3, "b": null, "c": 2, "d": false, "e": "\"x\"\n\t"})"}}}));
}

TEST(ToolParser, AnUnknownFormatIsRefusedWithTheKnownOnes) {
  const auto parser = make_tool_parser("nope", ParseTiming::kDecided, Json());
  ASSERT_FALSE(parser.ok());
  EXPECT_NE(parser.error().text().find("deepseek_v3"), std::string::npos);
}

TEST(ToolParser, EveryRecordedTextParsesAsExpected) {
  const Json tools = recorded_tools();
  size_t num_cases = 0;
  for (const Json& recorded : recorded_cases()) {
    const std::string& name = recorded.find("name")->as_string();
    const ParsedText got =
        parse_whole(format_of(recorded, ParseTiming::kDecided), tools, recorded.find("text")->as_string());
    const Json& expect = *recorded.find("expect");
    const Json* content = expect.find("content");
    EXPECT_EQ(got.content, content->is_null() ? "" : content->as_string()) << name;
    if (const Json* reasoning = expect.find("reasoning")) {
      EXPECT_EQ(got.reasoning, reasoning->is_null() ? "" : reasoning->as_string()) << name;
    }
    const Json::Array& calls = expect.find("tool_calls")->as_array();
    ASSERT_EQ(got.calls.size(), calls.size()) << name;
    for (size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(got.calls[i].name, calls[i].find("name")->as_string()) << name;
      EXPECT_TRUE(is_json_value(got.calls[i].arguments)) << name << ": " << got.calls[i].arguments;
    }
    ++num_cases;
  }
  EXPECT_GT(num_cases, 600u);
}

/// A recorded text with some bytes changed: mostly broken calls.
std::string mutated(std::string text, std::mt19937& random) {
  static constexpr std::string_view kBytes = "{}[]\"\\,:<>/|=a1 \n-.";
  for (int i = static_cast<int>(random() % 4); i > 0 && !text.empty(); --i) {
    const size_t at = random() % text.size();
    switch (random() % 3) {
      case 0:
        text[at] = kBytes[random() % kBytes.size()];
        break;
      case 1:
        text.erase(at, 1 + random() % 3);
        break;
      default:
        text.insert(at, 1, kBytes[random() % kBytes.size()]);
    }
  }
  return text;
}

TEST(ToolParser, AnyCuttingOfAnyTextGivesTheSame) {
  const Json tools = recorded_tools();
  std::mt19937 random(7);
  for (const Json& recorded : recorded_cases()) {
    for (int round = 0; round < 6; ++round) {
      std::string text = recorded.find("text")->as_string();
      if (round > 0) text = mutated(std::move(text), random);
      for (const ParseTiming timing : {ParseTiming::kDecided, ParseTiming::kWritten}) {
        const OutputFormat format = format_of(recorded, timing);
        const ParsedText whole = parse_whole(format, tools, text);
        const size_t size_max = 1 + random() % 9;
        bool sound = true;
        const ParsedText cut = parse_in_pieces(
            format, tools, text, [&] { return 1 + random() % size_max; }, sound);
        ASSERT_EQ(cut, whole) << recorded.find("name")->as_string() << ": " << text;
        ASSERT_TRUE(sound) << recorded.find("name")->as_string() << ": " << text;
        if (timing == ParseTiming::kDecided) {
          for (const ParsedText::Call& call : whole.calls) ASSERT_TRUE(is_json_value(call.arguments)) << text;
        }
      }
    }
  }
}

TEST(ToolParser, WithoutACallContentIsTheWholeText) {
  std::mt19937 random(11);
  for (const Json& recorded : recorded_cases()) {
    if (recorded.find("reasoning_parser") != nullptr) continue;
    for (int round = 0; round < 4; ++round) {
      const std::string text = mutated(recorded.find("text")->as_string(), random);
      const ParsedText got = parse_whole(format_of(recorded, ParseTiming::kDecided), Json(), text);
      if (got.calls.empty()) {
        ASSERT_EQ(got.content, text) << recorded.find("name")->as_string();
      }
    }
  }
}

}  // namespace
}  // namespace seraph
