#include "daemon/api/choice_text.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace seraph {
namespace {

const Tokenizer& tokenizer() {
  static const std::unique_ptr<Tokenizer> loaded =
      std::move(Tokenizer::load(SERAPH_TEST_DATA "/golden/api/model")).value();
  return *loaded;
}

struct Outcome {
  std::vector<std::string> deltas;
  std::string text;
  int stop = -1;
  size_t tokens = 0;
};

/// Pushes the ids of `text` until a stop string ends it.
Outcome run(const std::vector<TokenId>& ids, const std::vector<std::string>& stop, bool include_stop = false,
            int32_t tokens_min = 0) {
  ChoiceText state(tokenizer(), {.include_stop = include_stop, .tokens_min = tokens_min, .stop = &stop});
  Outcome out;
  for (const TokenId id : ids) {
    std::string delta;
    ++out.tokens;
    out.stop = state.push(id, delta);
    out.deltas.push_back(delta);
    out.text += delta;
    if (out.stop >= 0) return out;
  }
  out.stop = state.finish(out.text);
  return out;
}

std::vector<TokenId> ids_of(const std::string& text) { return tokenizer().encode(text, false); }

TEST(ChoiceTextTest, WithoutStopStringsTextComesAtOnce) {
  const Outcome out = run(ids_of("The capital of France"), {});
  EXPECT_EQ(out.text, "The capital of France");
  EXPECT_EQ(out.deltas.front(), "The");
}

TEST(ChoiceTextTest, StopStringInsideATokenCutsIt) {
  const Outcome out = run(ids_of("The capital of"), {"api"});
  EXPECT_EQ(out.text, "The c");
  EXPECT_EQ(out.stop, 0);
  EXPECT_EQ(out.tokens, 2U);
}

TEST(ChoiceTextTest, StopStringAcrossTokensIsHeldBack) {
  const Outcome out = run(ids_of("1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"), {"9, 10"});
  EXPECT_EQ(out.text, "1, 2, 3, 4, 5, 6, 7, 8, ");
  EXPECT_EQ(out.stop, 0);
}

TEST(ChoiceTextTest, HeldTextComesWhenItCanNoLongerMatch) {
  const Outcome out = run(ids_of("The capital of France"), {"capital zzz"});
  EXPECT_EQ(out.text, "The capital of France");
  EXPECT_EQ(out.stop, -1);
  EXPECT_EQ(run(ids_of("The capital"), {"capital zzz"}).text, "The capital");
}

TEST(ChoiceTextTest, TheFirstStopStringOfTheListWins) {
  EXPECT_EQ(run(ids_of("The capital of"), {"tal", "api"}).text, "The capi");
  EXPECT_EQ(run(ids_of("The capital of"), {"q", "capital"}).stop, 1);
}

TEST(ChoiceTextTest, StopStringMayStay) { EXPECT_EQ(run(ids_of("The capital of"), {"api"}, true).text, "The capi"); }

TEST(ChoiceTextTest, BeforeMinTokensStopStringsArePassedOverForGood) {
  const Outcome out = run(ids_of("The capital of France is Paris."), {"capital"}, false, 4);
  EXPECT_EQ(out.text, "The capital of France is Paris.");
  EXPECT_EQ(run(ids_of("The capital of France is Paris."), {"Paris"}, false, 4).stop, 0);
}

TEST(ChoiceTextTest, AnUnfinishedCharacterAtTheEndIsDropped) {
  std::vector<TokenId> ids = ids_of("a\xE4\xBD\xA0");
  ids.pop_back();
  EXPECT_EQ(run(ids, {}).text, "a");
  EXPECT_EQ(run(ids_of("\xE4\xBD\xA0\xE5\xA5\xBD"), {}).text, "\xE4\xBD\xA0\xE5\xA5\xBD");
  EXPECT_EQ(run(ids_of("\xE4\xBD\xA0\xE5\xA5\xBD"), {"\xE5\xA5\xBD"}).text, "\xE4\xBD\xA0");
}

TEST(ChoiceTextTest, InvalidBytesInTheMiddleStay) {
  std::vector<TokenId> ids = ids_of("a\xE4\xBD\xA0");
  ids.pop_back();
  const std::vector<TokenId> more = ids_of("b");
  ids.insert(ids.end(), more.begin(), more.end());
  EXPECT_EQ(run(ids, {}).text, tokenizer().decode(ids, true));
}

TEST(ChoiceTextTest, AnyCutOfAnyStopGivesTheSameTextAsSearchingTheWhole) {
  const std::string text = "aabaab aab baabaa abab";
  const std::vector<TokenId> ids = ids_of(text);
  for (const std::string stop : {"aab ", "baabaa", "b b", "abab", "aaa", "a", "b aab b"}) {
    const size_t at = text.find(stop);
    EXPECT_EQ(run(ids, {stop}).text, text.substr(0, at)) << stop;
  }
}

TEST(ChoiceTextTest, PeriodicStopStringsHoldBackWhatMayBecomeThem) {
  // What is held must be the longest end of the text that begins the stop string, also when that overlaps with itself.
  const std::string text = "aabaabaaabaabaac";
  for (const std::string stop : {"aabaabaad", "aaaa", "abaabaaabaabaad", "c", "aac"}) {
    const Outcome out = run(ids_of(text), {stop});
    const size_t at = text.find(stop);
    EXPECT_EQ(out.text, text.substr(0, at)) << stop;
    std::string sent;
    for (const std::string& delta : out.deltas) {
      sent += delta;
      EXPECT_TRUE(text.starts_with(sent)) << stop;
      EXPECT_TRUE(at == std::string::npos || sent.size() <= at) << stop;
    }
  }
}

TEST(ChoiceTextTest, LongStopStringsCostTimeInProportionToTheText) {
  // A text that stays a candidate to its end: the search must not begin anew for each length.
  const std::vector<std::string> stop = {std::string(4000, 'a') + "b" + std::string(90, 'a')};
  std::string text;
  for (int i = 0; i < 30; ++i) text += std::string(999, 'a') + "b";
  EXPECT_EQ(run(ids_of(text), stop).text, text);
}

}  // namespace
}  // namespace seraph
