#include "engine/text/jinja_unicode.h"

#include <gtest/gtest.h>

namespace seraph::jinja {
namespace {

TEST(JinjaUnicode, MapsCasesAsPythonDoes) {
  EXPECT_EQ(to_upper("straße ŉ ﬁ"), "STRASSE ʼN FI");
  EXPECT_EQ(to_lower("ΟΔΟΣ ΣΑΣ İ"), "οδος σας i̇");
  EXPECT_EQ(to_title("they're ǆ"), "They'Re ǅ");
  EXPECT_EQ(capitalize("ßA"), "Ssa");
  EXPECT_EQ(case_fold("Straße"), "strasse");
  EXPECT_EQ(swap_case("aBß"), "AbSS");
}

TEST(JinjaUnicode, ClassifiesDigits) {
  EXPECT_TRUE(is_digit(U'²') && !is_decimal(U'²'));
  EXPECT_TRUE(is_numeric(U'½') && !is_digit(U'½'));
  EXPECT_TRUE(is_numeric(U'三') && is_alpha(U'三'));
}

TEST(JinjaUnicode, CountsInvalidBytesOnce) {
  EXPECT_EQ(count_code_points("a\xFF\xC3(\xF0\x9F\x99\x82"), 5);
  EXPECT_EQ(previous_start("a\xFF", 2), 1U);
  EXPECT_EQ(previous_start("a\xF0\x9F\x99\x82", 5), 1U);
}

TEST(JinjaUnicode, StripsSpacesAndSets) {
  EXPECT_EQ(strip_space("\xE3\x80\x80 x\xC2\xA0", kBoth), "x");
  EXPECT_EQ(strip_chars("éxé", "é", kLeft), "xé");
}

}  // namespace
}  // namespace seraph::jinja
