#include "engine/text/pre_tokenizer.h"

#include <gtest/gtest.h>

namespace seraph::text {
namespace {

std::vector<std::string> cut(const std::string& spec, const std::string& text, bool at_start = true) {
  auto parsed = PreTokenizer::parse(*Json::parse(spec), false);
  if (!parsed.ok()) return {"error: " + parsed.error().message};
  PieceList list;
  parsed->apply(text, at_start, list);
  std::vector<std::string> out;
  for (const auto& piece : list.pieces) out.emplace_back(list.text.substr(piece.begin, piece.end - piece.begin));
  return out;
}

std::vector<std::string> split(const std::string& behavior, const std::string& text) {
  return cut(R"({"type":"Split","pattern":{"String":"-"},"behavior":")" + behavior + "\"}", text);
}

using Pieces = std::vector<std::string>;

TEST(PreTokenizer, SplitBehavioursKeepDropOrAttachMatches) {
  EXPECT_EQ(split("Isolated", "a--b"), (Pieces{"a", "-", "-", "b"}));
  EXPECT_EQ(split("Removed", "a--b"), (Pieces{"a", "b"}));
  EXPECT_EQ(split("MergedWithPrevious", "a--b"), (Pieces{"a-", "-", "b"}));
  EXPECT_EQ(split("MergedWithNext", "a--b"), (Pieces{"a", "-", "-b"}));
  EXPECT_EQ(split("Contiguous", "a--b"), (Pieces{"a", "--", "b"}));
}

TEST(PreTokenizer, MetaspacePrefixesByScheme) {
  const std::string always = R"({"type":"Metaspace","replacement":"_","prepend_scheme":"always"})";
  const std::string first = R"({"type":"Metaspace","replacement":"_","prepend_scheme":"first","split":false})";
  EXPECT_EQ(cut(always, "a b"), (Pieces{"_a", "_b"}));
  EXPECT_EQ(cut(always, " a"), (Pieces{"_a"}));
  EXPECT_EQ(cut(first, "a b", true), (Pieces{"_a_b"}));
  EXPECT_EQ(cut(first, "a b", false), (Pieces{"a_b"}));
}

TEST(PreTokenizer, DigitsAndWordsAreCut) {
  EXPECT_EQ(cut(R"({"type":"Digits","individual_digits":true})", "a12"), (Pieces{"a", "1", "2"}));
  EXPECT_EQ(cut(R"({"type":"Digits","individual_digits":false})", "a12"), (Pieces{"a", "12"}));
  EXPECT_EQ(cut(R"({"type":"Whitespace"})", "hi, you"), (Pieces{"hi", ",", "you"}));
  EXPECT_EQ(cut(R"({"type":"BertPreTokenizer"})", "a.b c"), (Pieces{"a", ".", "b", "c"}));
}

TEST(PreTokenizer, ByteLevelInTheMiddleMapsToCharacters) {
  const std::string byte_level = R"({"type":"ByteLevel","add_prefix_space":true,"use_regex":false})";
  EXPECT_EQ(cut(byte_level, "a"), (Pieces{"\xC4\xA0"
                                          "a"}));
  auto bytes = PreTokenizer::parse(*Json::parse(byte_level), true);
  ASSERT_TRUE(bytes.ok());
  EXPECT_TRUE(bytes->byte_level());
}

TEST(PreTokenizer, UnknownBehavioursAreErrors) {
  EXPECT_NE(split("Sometimes", "a")[0].find("pre_tokenizer.behavior"), std::string::npos);
}

}  // namespace
}  // namespace seraph::text
