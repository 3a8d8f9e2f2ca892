#include <gtest/gtest.h>

#include "engine/text/subword_model.h"

namespace seraph::text {
namespace {

std::vector<int32_t> encode(const SubwordModel& model, std::string_view piece) {
  ModelScratch scratch;
  std::vector<int32_t> out;
  model.encode(piece, scratch, out);
  return out;
}

TEST(UnigramModel, TakesTheBestPathAndMergesUnknownNeighbours) {
  Vocabulary vocabulary;
  const char* pieces[] = {"<unk>", "a", "b", "ab", "aba"};
  for (int32_t id = 0; id < 5; ++id) vocabulary.insert(pieces[id], id);
  const UnigramModel model(vocabulary, {0, -1, -1, -1.5, -5}, 0, false);
  EXPECT_EQ(encode(model, "aba"), (std::vector<int32_t>{3, 1}));
  EXPECT_EQ(encode(model, "xyab"), (std::vector<int32_t>{0, 3}));
}

TEST(WordLevelModel, KnowsWholeWordsOnly) {
  Vocabulary vocabulary;
  vocabulary.insert("hi", 4);
  EXPECT_EQ(encode(WordLevelModel(vocabulary, 9), "hi"), std::vector<int32_t>{4});
  EXPECT_EQ(encode(WordLevelModel(vocabulary, 9), "h"), std::vector<int32_t>{9});
  EXPECT_TRUE(encode(WordLevelModel(vocabulary, -1), "h").empty());
}

}  // namespace
}  // namespace seraph::text
