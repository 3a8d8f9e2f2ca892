#include "engine/text/reasoning_parser.h"

#include <gtest/gtest.h>

#include "tests/engine/text/tool_cases.h"

namespace seraph {
namespace {

const ReasoningFormat& qwen3() { return *find_reasoning_format("qwen3"); }

TEST(ReasoningParser, ThinkingComesOutAsItIsWritten) {
  ReasoningParser parser(qwen3(), ParseTiming::kWritten, ReasoningStart::kUnknown);
  TextDeltas out;
  parser.push("<think>\nI add", out);
  EXPECT_EQ(out, (TextDeltas{{TextDelta::Kind::kReasoning, "\nI add"}}));
  out.clear();
  parser.push(" them</th", out);
  EXPECT_EQ(out, (TextDeltas{{TextDelta::Kind::kReasoning, " them"}}));
  out.clear();
  parser.push("ink>\n4", out);
  EXPECT_EQ(out, (TextDeltas{{TextDelta::Kind::kContent, "\n4"}}));
}

TEST(ReasoningParser, AnAnswerWithoutThinkingStreamsAtOnce) {
  ReasoningParser parser(qwen3(), ParseTiming::kWritten, ReasoningStart::kUnknown);
  TextDeltas out;
  parser.push("Hello", out);
  EXPECT_EQ(out, (TextDeltas{{TextDelta::Kind::kContent, "Hello"}}));
}

TEST(ReasoningParser, AWholeAnswerWaitsForALoneClosingTag) {
  const OutputFormat format{.reasoning_parser = "qwen3"};
  EXPECT_EQ(test::parse_whole(format, Json(), "hm</think>4"), (ParsedText{.content = "4", .reasoning = "hm"}));
}

TEST(ReasoningParser, ThePromptSaysWhereTheTextBegins) {
  EXPECT_EQ(reasoning_start(qwen3(), "<|im_start|>assistant\n<think>\n"), ReasoningStart::kInside);
  EXPECT_EQ(reasoning_start(qwen3(), "assistant\n<think>\n\n</think>\n\n"), ReasoningStart::kOver);
  EXPECT_EQ(reasoning_start(qwen3(), "what is <think>?\nassistant\n"), ReasoningStart::kUnknown);
  EXPECT_EQ(reasoning_start(qwen3(), ""), ReasoningStart::kUnknown);
  const OutputFormat over{.reasoning_parser = "deepseek_r1", .start = ReasoningStart::kOver};
  EXPECT_EQ(test::parse_whole(over, Json(), "4"), (ParsedText{.content = "4"}));
}

TEST(ReasoningParser, AnUnknownFormatIsRefusedWithTheKnownOnes) {
  const auto parser = OutputParser::make(OutputFormat{.reasoning_parser = "nope"}, Json());
  ASSERT_FALSE(parser.ok());
  EXPECT_NE(parser.error().text().find("deepseek_r1"), std::string::npos);
}

}  // namespace
}  // namespace seraph
