#include "engine/grammar/number_set.h"

#include "engine/grammar/decimal.h"
#include "tests/engine/grammar/grammar_support.h"

namespace seraph {
namespace {

using namespace test;  // NOLINT: the helpers are the vocabulary of these tests

using grammar::Decimal;
using grammar::NumberSet;
using grammar::parse_decimal;

TEST(NumberSetTest, TextsAgreeWithArithmetic) {
  grammar::Budget budget{CompileLimits{}};
  const char* bounds[] = {"0", "-1", "7", "-0.5", "12.30", "100", "-99.99", "0.05"};
  const char* values[] = {"0",     "-1",  "1",  "7",   "6.99",   "7.01", "-0.5", "-0.49", "-0.51", "12.3", "12.31",
                          "12.29", "100", "99", "101", "-99.99", "-100", "0.05", "0.049", "0.5",   "1000", "-1000"};
  for (const char* bound : bounds) {
    for (const bool exclusive : {false, true}) {
      NumberSet above, below;
      above.lower = below.upper = NumberSet::Bound{parse_decimal(bound), exclusive};
      const auto above_texts = grammar::number_texts(above, budget), below_texts = grammar::number_texts(below, budget);
      for (const char* value : values) {
        EXPECT_EQ(above_texts.accepts(value), grammar::contains(above, parse_decimal(value)))
            << value << " > " << bound << exclusive;
        EXPECT_EQ(below_texts.accepts(value), grammar::contains(below, parse_decimal(value)))
            << value << " < " << bound << exclusive;
      }
    }
  }
}

TEST(NumberSetTest, ComplementsCoverTheRest) {
  NumberSet set;
  set.integer = true;
  set.lower = NumberSet::Bound{parse_decimal("3"), false};
  set.multiples = {parse_decimal("2")};
  for (const char* value : {"2", "3", "4", "4.5", "-1", "10"}) {
    bool in_rest = false;
    for (const NumberSet& part : grammar::complement(set)) in_rest |= grammar::contains(part, parse_decimal(value));
    EXPECT_NE(in_rest, grammar::contains(set, parse_decimal(value))) << value;
  }
}

TEST(NumberSetTest, MultiplesMayHaveAnExponentThatKeepsThem) {
  const auto of = [](const char* keywords) { return schema(std::string("{\"type\": \"number\", ") + keywords + "}"); };
  expect_texts(of("\"multipleOf\": 0.5"), {"1e1", "2.5E+3", "-0.5"}, {"0.3", "0.3e1", "5e-1", "1e"});
  expect_texts(of("\"multipleOf\": 2, \"maximum\": 50"), {"4"}, {"4e2", "4e1"});
}

TEST(NumberSetTest, OfMultiplesWithManyDigitsTheNearestAreWritten) {
  const auto of = [](const char* keywords) { return schema(std::string("{\"type\": ") + keywords + "}"); };
  expect_texts(of("\"integer\", \"multipleOf\": 0.123456789"), {"0", "123456789", "-246913578"}, {"1", "1e308", "10"});
  expect_texts(of("\"number\", \"multipleOf\": 0.123456789"), {"0.123456789", "0.246913578"}, {"0.1234567890", "1"});
  expect_texts(of("\"number\", \"multipleOf\": 123456789, \"minimum\": 1e15"), {"1000000114356789"}, {"123456789"});
  EXPECT_NE(schema_error(R"({"not": {"multipleOf": 123456789}})").find("too many digits"), std::string::npos);
}

TEST(DecimalTest, ComparesAndDividesExactly) {
  EXPECT_EQ(grammar::compare(parse_decimal("1e2"), parse_decimal("100.0")), 0);
  EXPECT_LT(grammar::compare(parse_decimal("-2"), parse_decimal("-1.99")), 0);
  EXPECT_TRUE(grammar::is_multiple(parse_decimal("0.3"), parse_decimal("0.1")));
  EXPECT_FALSE(grammar::is_multiple(parse_decimal("0.35"), parse_decimal("0.1")));
  EXPECT_THROW(parse_decimal("1e999"), grammar::CompileFailure);
}

}  // namespace
}  // namespace seraph
