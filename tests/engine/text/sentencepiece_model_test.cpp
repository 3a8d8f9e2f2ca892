#include "engine/text/sentencepiece_model.h"

#include <gtest/gtest.h>

namespace seraph::text {
namespace {

TEST(SentencePieceModel, ReadsPiecesAndSettings) {
  // pieces { piece: "a" type: CONTROL }  trainer_spec { model_type: BPE }  normalizer_spec { add_dummy_prefix: false }
  const std::string bytes(
      "\x0A\x05\x0A\x01"
      "a\x18\x03"
      "\x12\x02\x18\x02"
      "\x1A\x02\x18\x00",
      15);
  const auto model = SentencePieceModel::parse(bytes);
  ASSERT_TRUE(model.ok()) << model.error().text();
  ASSERT_EQ(model->pieces.size(), 1u);
  EXPECT_EQ(model->pieces[0].text, "a");
  EXPECT_EQ(model->pieces[0].type, SentencePieceModel::PieceType::kControl);
  EXPECT_EQ(model->algorithm, SentencePieceModel::Algorithm::kBpe);
  EXPECT_FALSE(model->add_dummy_prefix);
}

TEST(SentencePieceModel, BrokenBytesAreErrors) {
  EXPECT_FALSE(SentencePieceModel::parse("").ok());
  EXPECT_FALSE(SentencePieceModel::parse("\x0A\x7F").ok()) << "a length beyond the end";
  EXPECT_FALSE(SentencePieceModel::parse(std::string("\x0A\x02\x18\x09", 4)).ok()) << "a piece of unknown type";
  EXPECT_FALSE(SentencePieceModel::parse("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF").ok());
}

}  // namespace
}  // namespace seraph::text
