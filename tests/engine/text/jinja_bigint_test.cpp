#include "engine/text/jinja_bigint.h"

#include <gtest/gtest.h>

#include <limits>

#include "engine/text/jinja_error.h"

namespace seraph::jinja {
namespace {

TEST(BigInt, ComputesBeyondSixtyFourBits) {
  const BigInt big = BigInt::pow(BigInt(2), 100);
  EXPECT_EQ(big.to_string(), "1267650600228229401496703205376");
  EXPECT_EQ((big * big - big).to_string(), "1606938044258990275541962092339894951921974764381296132096000");
  EXPECT_EQ((-big).to_string(16), "-10000000000000000000000000");
  EXPECT_EQ(BigInt::from_digits("12345678901234567890", 10).to_string(), "12345678901234567890");
}

TEST(BigInt, DividesTowardsMinusInfinity) {
  const auto check = [](int64_t a, int64_t b, int64_t quotient, int64_t remainder) {
    BigInt q;
    BigInt r;
    BigInt::divmod(BigInt(a), BigInt(b), q, r);
    EXPECT_EQ(q.to_int64(), quotient);
    EXPECT_EQ(r.to_int64(), remainder);
  };
  check(7, 2, 3, 1);
  check(-7, 2, -4, 1);
  check(7, -2, -4, -1);
  check(-7, -2, 3, -1);
  check(-8, 2, -4, 0);
}

TEST(BigInt, KnowsWhatFitsSixtyFourBits) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  EXPECT_TRUE(BigInt(kMin).fits_int64());
  EXPECT_EQ(BigInt(kMin).to_int64(), kMin);
  EXPECT_FALSE((-BigInt(kMin)).fits_int64());
  EXPECT_FALSE((BigInt(kMin) - BigInt(1)).fits_int64());
}

TEST(BigInt, ConvertsToAndFromDoubles) {
  EXPECT_EQ(BigInt::from_double(1e20).to_string(), "100000000000000000000");
  EXPECT_EQ(BigInt::from_double(-2.9).to_int64(), -2);
  EXPECT_EQ(BigInt::from_digits("9007199254740993", 10).to_double(), 9007199254740992.0);
}

TEST(BigInt, RefusesWhatIsTooLarge) {
  EXPECT_THROW(BigInt::pow(BigInt(3), 1000000), TemplateError);
  EXPECT_THROW(BigInt::pow(BigInt(10), 5000).to_string(), TemplateError);
}

}  // namespace
}  // namespace seraph::jinja
