#include <gtest/gtest.h>

#include <random>

#include "engine/text/subword_model.h"

namespace seraph::text {
namespace {

std::vector<int32_t> encode(const SubwordModel& model, std::string_view piece) {
  ModelScratch scratch;
  std::vector<int32_t> out;
  model.encode(piece, scratch, out);
  return out;
}

// The rule itself: the lowest-ranked pair, leftmost on ties, until none is left.
std::string merge_slowly(std::vector<std::string> symbols,
                         const std::vector<std::pair<std::string, std::string>>& merges) {
  for (;;) {
    size_t best = merges.size(), place = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      for (size_t rank = 0; rank < best; ++rank) {
        if (merges[rank] != std::pair(symbols[i], symbols[i + 1])) continue;
        best = rank;
        place = i;
      }
    }
    if (best == merges.size()) break;
    symbols[place] += symbols[place + 1];
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(place) + 1);
  }
  std::string out;
  for (const auto& symbol : symbols) out += symbol + "|";
  return out;
}

TEST(BpeModel, ShortAndLongWordsMergeByTheRule) {
  Vocabulary vocabulary;
  int32_t next = 0;
  std::vector<std::pair<std::string, std::string>> merges;
  std::vector<std::string> pieces = {"a", "b", "c"};
  for (const auto& piece : pieces) vocabulary.insert(piece, next++);
  std::mt19937 random(3);
  while (merges.size() < 60) {
    const std::string left = pieces[random() % pieces.size()], right = pieces[random() % pieces.size()];
    if (vocabulary.find(left + right) >= 0 || left.size() + right.size() > 8) continue;
    merges.emplace_back(left, right);
    pieces.push_back(left + right);
    vocabulary.insert(left + right, next++);
  }
  BpeModel model(vocabulary, {});
  for (const auto& [left, right] : merges) ASSERT_TRUE(model.add_merge(left, right));
  EXPECT_FALSE(model.add_merge("a", "no such piece"));
  for (size_t length : {1, 2, 7, 40, 48, 49, 120, 300}) {
    for (int round = 0; round < 20; ++round) {
      std::string word;
      std::vector<std::string> symbols;
      for (size_t i = 0; i < length; ++i) symbols.emplace_back(1, "abc"[random() % 3]);
      for (const auto& symbol : symbols) word += symbol;
      std::string got;
      for (const int32_t id : encode(model, word)) got += std::string(vocabulary.piece(id)) + "|";
      EXPECT_EQ(got, merge_slowly(symbols, merges));
    }
  }
}

TEST(BpeModel, UnknownCharactersBecomeBytesOrUnk) {
  Vocabulary vocabulary;
  vocabulary.insert("<unk>", 0);
  vocabulary.insert("a", 1);
  vocabulary.insert("<0xC3>", 2);
  vocabulary.insert("<0xA9>", 3);
  const BpeModel fused(vocabulary, {.byte_fallback = true, .fuse_unk = true, .unk_token = "<unk>"});
  EXPECT_EQ(encode(fused, "a\xC3\xA9zza"), (std::vector<int32_t>{1, 2, 3, 0, 1}));
  const BpeModel single(vocabulary, {.unk_token = "<unk>"});
  EXPECT_EQ(encode(single, "zza"), (std::vector<int32_t>{0, 0, 1}));
}

TEST(Vocabulary, RenamedAndRepeatedEntries) {
  Vocabulary vocabulary;
  EXPECT_TRUE(vocabulary.insert("a", 0));
  EXPECT_FALSE(vocabulary.insert("b", 0));
  EXPECT_TRUE(vocabulary.insert("a", 5));
  EXPECT_FALSE(vocabulary.has(0));
  vocabulary.rename(5, "c");
  EXPECT_EQ(vocabulary.find("a"), -1);
  EXPECT_EQ(vocabulary.piece(5), "c");
}

}  // namespace
}  // namespace seraph::text
