#include "engine/text/unicode_text.h"

#include <gtest/gtest.h>

namespace seraph::text {
namespace {

TEST(UnicodeText, LossyTextHasOneReplacementPerInvalidPart) {
  std::string storage;
  EXPECT_EQ(make_valid_utf8("a\xE4\xBD z\xFF\xED\xA0\x80", storage),
            "a\xEF\xBF\xBD z\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(make_valid_utf8("\xE4\xBD\xA0", storage), "\xE4\xBD\xA0");
}

TEST(UnicodeText, LossyStreamsHoldOnlyWhatMayBecomeValid) {
  std::string pending, out;
  append_lossy(pending, "\xF0\x9F", out);
  EXPECT_EQ(out, "");
  append_lossy(pending, "\x9B\x9C!\xC3", out);
  EXPECT_EQ(out, "\xF0\x9F\x9B\x9C!");
  finish_lossy(pending, out);
  EXPECT_EQ(out, "\xF0\x9F\x9B\x9C!\xEF\xBF\xBD");
}

TEST(UnicodeText, ByteStandInsGoBothWays) {
  EXPECT_EQ(bytes_to_chars(" \n"), "\xC4\xA0\xC4\x8A");
  for (int byte = 0; byte < 256; ++byte) EXPECT_EQ(char_to_byte(byte_to_char(static_cast<unsigned char>(byte))), byte);
  std::string out = "x";
  EXPECT_FALSE(append_chars_as_bytes("a\xE4\xBD\xA0", out));
  EXPECT_EQ(out, "x");
}

TEST(UnicodeText, ClassesFollowTheCategories) {
  EXPECT_TRUE(char_class(U'ß') & kLetter);
  EXPECT_TRUE(char_class(U'²') & kNumber);
  EXPECT_TRUE(char_class(0x301) & kMark);
  EXPECT_TRUE(char_class(0x1C89) & kLetter) << "new in Unicode 16";
  EXPECT_TRUE(char_class(U'+') & kSymbol);
  EXPECT_TRUE(is_space(0x3000));
  EXPECT_FALSE(is_space(0x180E));
  EXPECT_TRUE(is_word_char(U'_'));
  EXPECT_FALSE(is_word_char(U'-'));
}

}  // namespace
}  // namespace seraph::text
