// Every text of golden/tools, whole and cut at every byte, in both timings.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "tests/engine/text/tool_cases.h"

namespace seraph {
namespace {

namespace fs = std::filesystem;

std::string golden_dir() {
  const char* dir = std::getenv("SERAPH_GOLDEN_DIR");
  return (dir != nullptr ? std::string(dir) : std::string(SERAPH_SOURCE_DIR "/../shared/golden")) + "/tools";
}

std::string text_or_empty(const Json& object, const char* name) {
  const Json* member = object.find(name);
  return member == nullptr || !member->is_string() ? "" : member->as_string();
}

/// Equal values, however they are spelled: members in any order, 3.0 for 3.
bool same_value(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) return a.as_double() == b.as_double();
  if (a.kind() != b.kind()) return false;
  if (a.is_array()) {
    if (a.as_array().size() != b.as_array().size()) return false;
    for (size_t i = 0; i < a.as_array().size(); ++i) {
      if (!same_value(a.as_array()[i], b.as_array()[i])) return false;
    }
    return true;
  }
  if (!a.is_object()) return a == b;
  if (a.as_object().size() != b.as_object().size()) return false;
  for (const auto& [name, value] : a.as_object()) {
    const Json* other = b.find(name);
    if (other == nullptr || !same_value(value, *other)) return false;
  }
  return true;
}

void check(const Json& recorded, OutputFormat format, const Json& tools, const std::string& name) {
  const std::string text = text_or_empty(recorded, "text");
  const Json& expect = *recorded.find("expect");
  const ParsedText whole = test::parse_whole(format, tools, text);
  EXPECT_EQ(whole.content, text_or_empty(expect, "content")) << name;
  EXPECT_EQ(whole.reasoning, text_or_empty(expect, "reasoning")) << name;
  const Json* calls = expect.find("tool_calls");
  const size_t num_calls = calls == nullptr || calls->is_null() ? 0 : calls->as_array().size();
  ASSERT_EQ(whole.calls.size(), num_calls) << name;
  for (size_t i = 0; i < num_calls; ++i) {
    EXPECT_EQ(whole.calls[i].name, text_or_empty(calls->as_array()[i], "name")) << name;
    const auto arguments = Json::parse(whole.calls[i].arguments);
    ASSERT_TRUE(arguments.ok()) << name << ": " << whole.calls[i].arguments;
    EXPECT_TRUE(same_value(*arguments, *calls->as_array()[i].find("arguments"))) << name;
  }
  for (const ParseTiming timing : {ParseTiming::kDecided, ParseTiming::kWritten}) {
    format.timing = timing;
    const ParsedText uncut = test::parse_whole(format, tools, text);
    for (size_t at = 1; at < text.size(); ++at) {
      size_t size = at;
      bool sound = true;
      const ParsedText cut = test::parse_in_pieces(
          format, tools, text, [&] { return std::exchange(size, text.size()); }, sound);
      ASSERT_EQ(cut, uncut) << name << " cut after " << at;
      ASSERT_TRUE(sound) << name << " cut after " << at;
    }
  }
}

/// The file was written by Python, whose JSON has NaN as a value (in another program's recorded results).
Json read_suite(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  constexpr std::string_view kNan = "\":NaN";
  for (size_t at = text.find(kNan); at != std::string::npos; at = text.find(kNan, at + 1)) {
    if (text[at - 1] != '\\') text.replace(at + 2, 3, "null");
  }
  return Json::parse(text).value();
}

TEST(ToolParserGolden, EveryRecordedText) {
  if (!fs::exists(golden_dir())) GTEST_SKIP() << golden_dir() << " is absent";
  size_t num_cases = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(golden_dir())) {
    const std::string file = entry.path().filename().string();
    if (entry.path().extension() != ".json") continue;
    const Json suite = read_suite(entry.path().string());
    const bool reasoning = file == "reasoning.json";
    for (const Json& recorded : suite.find("cases")->as_array()) {
      OutputFormat format;
      format.tool_parser = reasoning ? text_or_empty(recorded, "tool_parser") : text_or_empty(suite, "parser");
      format.reasoning_parser = reasoning ? text_or_empty(recorded, "parser") : "";
      const Json* opens = recorded.find("prompt_opens_think");
      if (opens != nullptr && opens->is_bool() && opens->as_bool()) format.start = ReasoningStart::kInside;
      const Json* tools = recorded.find("tools");
      if (tools == nullptr) tools = suite.find("tools");
      check(recorded, format, tools == nullptr ? Json() : *tools, file + "/" + text_or_empty(recorded, "name"));
      ++num_cases;
    }
  }
  std::cout << num_cases << " texts\n";
}

}  // namespace
}  // namespace seraph
