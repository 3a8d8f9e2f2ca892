#include "daemon/api/logprobs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>

namespace seraph {
namespace {

const Tokenizer& tokenizer() {
  static const std::unique_ptr<Tokenizer> loaded =
      std::move(Tokenizer::load(SERAPH_TEST_DATA "/golden/api/model")).value();
  return *loaded;
}

TokenId id_of(const std::string& text) { return tokenizer().encode(text, false).front(); }

TEST(LogprobsTest, ChatEntriesHaveTokenLogprobBytesAndTheBest) {
  LogprobColumns columns(tokenizer(), LogprobColumns::Shape::kChat, false, 1);
  columns.add({{id_of("The"), -0.5F, 1}, {id_of("I"), -2.0F, 2}});
  std::string out;
  columns.take(out, 0);
  EXPECT_EQ(
      out,
      R"({"content":[{"token":"The","logprob":-0.5,"bytes":[84,104,101],"top_logprobs":[{"token":"The","logprob":-0.5,"bytes":[84,104,101]}]}]})");
}

TEST(LogprobsTest, CompletionColumnsCountCharacters) {
  LogprobColumns columns(tokenizer(), LogprobColumns::Shape::kCompletions, false, 1);
  columns.add({{id_of("The"), -0.5F, 1}});
  columns.add({{id_of("I"), -3.0F, 2}, {id_of("The"), -0.25F, 1}});
  std::string out;
  columns.take(out, 10);
  EXPECT_EQ(
      out,
      R"({"text_offset":[10,13],"token_logprobs":[-0.5,-3.0],"tokens":["The","I"],"top_logprobs":[{"The":-0.5},{"I":-3.0,"The":-0.25}]})");
}

TEST(LogprobsTest, TokensOfOneCharacterShowItWhenItIsComplete) {
  const std::vector<TokenId> ids = tokenizer().encode("\xE4\xBD\xA0", false);
  ASSERT_EQ(ids.size(), 3U);
  LogprobColumns columns(tokenizer(), LogprobColumns::Shape::kCompletions, false, 0);
  for (const TokenId id : ids) columns.add({{id, -1.0F, 1}});
  std::string out;
  columns.take(out, 0);
  EXPECT_NE(out.find("\"tokens\":[\"\",\"\",\"\xE4\xBD\xA0\"]"), std::string::npos) << out;
}

TEST(LogprobsTest, TokensMayBeShownAsIds) {
  LogprobColumns columns(tokenizer(), LogprobColumns::Shape::kCompletions, true, 0);
  columns.add({{15, -INFINITY, 1}});
  std::string out;
  columns.take(out, 0);
  EXPECT_EQ(
      out,
      R"({"text_offset":[0],"token_logprobs":[-9999.0],"tokens":["token_id:15"],"top_logprobs":[{"token_id:15":-9999.0}]})");
}

TEST(LogprobsTest, SameTextsShareAKeyAndTheLastCounts) {
  const std::vector<TokenId> ids = tokenizer().encode("\xE4\xBD\xA0", false);
  LogprobColumns columns(tokenizer(), LogprobColumns::Shape::kCompletions, false, 2);
  columns.add({{ids[0], -15.0F, 9}, {ids[1], -0.5F, 1}});
  std::string out;
  columns.take(out, 0);
  EXPECT_NE(out.find(R"("top_logprobs":[{"":-0.5}])"), std::string::npos) << out;
}

TEST(LogprobsTest, PromptMapsAreKeyedByTokenId) {
  std::vector<PositionLogprobs> positions(2);
  positions[1] = {{15, -1.5F, 3}, {20, -0.5F, 1}};
  std::string out;
  append_prompt_logprobs(out, positions, tokenizer());
  EXPECT_EQ(
      out,
      R"([null,{"15":{"logprob":-1.5,"rank":3,"decoded_token":"0"},"20":{"logprob":-0.5,"rank":1,"decoded_token":"5"}}])");
}

TEST(LogprobsTest, EchoPutsThePromptFirst) {
  const std::vector<TokenId> ids = tokenizer().encode("The capital", false);
  std::vector<PositionLogprobs> positions(ids.size());
  for (size_t i = 1; i < ids.size(); ++i) positions[i] = {{ids[i], -1.0F, 1}};
  LogprobColumns columns(tokenizer(), LogprobColumns::Shape::kCompletions, false, 0);
  columns.add_prompt(ids, positions, tokenizer());
  columns.add({{id_of("I"), -2.0F, 1}});
  std::string out;
  columns.take(out, 0);
  EXPECT_EQ(
      out,
      R"({"text_offset":[0,3,11],"token_logprobs":[null,-1.0,-2.0],"tokens":["The"," capital","I"],"top_logprobs":[null,{" capital":-1.0},{"I":-2.0}]})");
}

TEST(LogprobsTest, ABeamListsTheBestAndNotTheChosenFirst) {
  const auto tokenizer = std::move(Tokenizer::load(SERAPH_TEST_DATA "/golden/api/model")).value();
  LogprobColumns columns(*tokenizer, LogprobColumns::Shape::kChat, true, 1);
  columns.add_of_beam({{20, -2.0F, 2}, {15, -1.0F, 1}});
  std::string out;
  columns.take(out, 0);
  EXPECT_TRUE(out.starts_with(R"({"content":[{"token":"token_id:20","logprob":-2.0,"bytes":null,"top_logprobs":[)"
                              R"({"token":"token_id:15","logprob":-1.0,)"))
      << out;
}

TEST(LogprobsTest, NamedIdsAreListedBehindTheChosenTokenAndNotTwice) {
  const auto tokenizer = std::move(Tokenizer::load(SERAPH_TEST_DATA "/golden/api/model")).value();
  LogprobColumns columns(*tokenizer, LogprobColumns::Shape::kTokens, false, 3);
  columns.add({{15, -1.0F, 1}, {15, -1.0F, 1}, {20, -2.0F, 4}});
  std::string out;
  columns.take(out, 0);
  EXPECT_EQ(out, R"({"content":[{"token_id":15,"logprob":-1.0,"rank":1,"top_logprobs":[{"token_id":15,"logprob":-1.0,)"
                 R"("rank":1},{"token_id":20,"logprob":-2.0,"rank":4}]}]})");
}

}  // namespace
}  // namespace seraph
