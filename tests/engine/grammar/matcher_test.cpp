#include "tests/engine/grammar/grammar_support.h"

namespace seraph {
namespace {

using namespace test;  // NOLINT: the helpers are the vocabulary of these tests

std::shared_ptr<const TokenTable> small_table() {
  std::vector<std::string> tokens;
  for (int byte = 1; byte < 256; ++byte) tokens.push_back(std::string(1, static_cast<char>(byte)));
  for (const char* text : {"{\"", "\":", "\": ", "\",",  "\"}",     "a\"",  "a\":1}", "12",        "1,",  "1]",
                           "],[", "}}",  "null", "true", "\"a\":[", "上海", "\",\"",  "ab",        "abc", "{}",
                           "[]",  "[[",  "]]",   "1}",   "  ",      "\n",   "",       "x\":\"y\"}"}) {
    tokens.push_back(text);
  }
  return TokenTable::from_bytes(std::move(tokens));
}

/// Every token tried by itself.
std::vector<uint32_t> slow_mask(Matcher matcher, const TokenTable& table) {
  std::vector<uint32_t> words(table.mask_words());
  for (int32_t id = 0; id < table.vocab_size(); ++id) {
    if (!matcher.accept_token(id)) continue;
    matcher.rollback(1);
    words[static_cast<size_t>(id) / 32] |= 1u << (id % 32);
  }
  return words;
}

void expect_masks(const GrammarPtr& grammar, const std::string& text) {
  const auto table = small_table();
  Matcher matcher(
      std::make_shared<TokenMasks>(grammar, table, TokenMasks::kBytesMaxDefault, std::make_shared<SharedVerdicts>()));
  std::vector<uint32_t> words(table->mask_words());
  for (size_t i = 0; i <= text.size(); ++i) {
    matcher.fill_mask(words, {});
    ASSERT_EQ(words, slow_mask(matcher, *table)) << text.substr(0, i);
    if (i == text.size()) break;
    ASSERT_TRUE(matcher.accept_bytes(text.substr(i, 1))) << text.substr(0, i + 1);
  }
  EXPECT_TRUE(matcher.can_end());
}

TEST(MatcherTest, MasksEqualTryingEveryToken) {
  expect_masks(schema(R"({"type": "object"})"), R"({"a":[1,{"b": "x\"y"}], "c" : null})");
  expect_masks(schema(R"({"$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"})"),
               "[[],[[]]]");
  expect_masks(schema(R"({"type": "string", "minLength": 2, "maxLength": 4})"), R"("ab上")");
  expect_masks(schema(R"({"type": "array", "uniqueItems": true, "items": {"type": "integer"}})"), "[1,12,2]");
  expect_masks(ebnf("root ::= root root | \"a\" | \"[\" root? \"]\""), "a[a[]]a");
  expect_masks(regex("(ab|abc|c)*[0-9]+"), "ababc12");
}

TEST(MatcherTest, RollbackRestoresEveryStep) {
  const auto table = small_table();
  Matcher matcher(std::make_shared<TokenMasks>(schema(R"({"type": "object"})"), table));
  const std::string text = R"({"a": {"b": [1, 2]}, "c": "d"})";
  std::vector<std::vector<uint32_t>> masks;
  for (const char byte : text) {
    masks.emplace_back(table->mask_words());
    matcher.fill_mask(masks.back(), {});
    ASSERT_TRUE(matcher.accept_bytes(std::string_view(&byte, 1)));
  }
  std::vector<uint32_t> words(table->mask_words());
  for (size_t i = text.size(); i-- > 0;) {
    matcher.rollback(1);
    matcher.fill_mask(words, {});
    ASSERT_EQ(words, masks[i]) << i;
  }
  EXPECT_TRUE(matcher.accept_bytes(text));
}

TEST(MatcherTest, TheEndIsAllowedOnlyWhereTheTextIsWhole) {
  const auto table = small_table();
  Matcher matcher(std::make_shared<TokenMasks>(regex("ab?"), table));
  const int32_t end = table->vocab_size() - 2;  // a token without bytes
  std::vector<uint32_t> words(table->mask_words());
  const auto allowed = [&] {
    matcher.fill_mask(words, std::span(&end, 1));
    return (words[static_cast<size_t>(end) / 32] >> (end % 32) & 1) != 0;
  };
  EXPECT_FALSE(allowed());
  ASSERT_TRUE(matcher.accept_bytes("a"));
  EXPECT_TRUE(allowed());
  EXPECT_FALSE(matcher.is_finished());
  ASSERT_TRUE(matcher.accept_bytes("b"));
  EXPECT_TRUE(matcher.is_finished());
  EXPECT_FALSE(matcher.accept_token(end));
}

TEST(MatcherTest, ForcedBytesAreFound) {
  Matcher matcher(schema(
      R"({"type": "object", "properties": {"name": {"const": "x"}}, "required": ["name"], "additionalProperties": false})"));
  EXPECT_EQ(matcher.jump_forward(), "{");
  ASSERT_TRUE(matcher.accept_bytes("{\""));
  EXPECT_EQ(matcher.jump_forward(), "name\"");
  EXPECT_EQ(matcher.accepted_prefix("name\": \"y"), 8u);
}

TEST(MatcherTest, LongRightRecursionStaysQuick) {
  Matcher matcher(ebnf("root ::= \"a\" root | \"\""));
  EXPECT_TRUE(matcher.accept_bytes(std::string(20000, 'a')));
  EXPECT_TRUE(matcher.can_end());
}

}  // namespace
}  // namespace seraph
