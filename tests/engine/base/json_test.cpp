#include "engine/base/json.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(Json, KeepsMemberOrderAndTheDifferenceBetweenOneAndOnePointZero) {
  const auto parsed = Json::parse(R"({"b":1,"a":1.0,"n":null,"t":[true,"x\u0000y"]})");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->dump(), R"({"b":1,"a":1.0,"n":null,"t":[true,"x\u0000y"]})");
  EXPECT_TRUE(parsed->find("b")->is_int());
  EXPECT_TRUE(parsed->find("a")->is_double());
}

TEST(Json, RemembersTheDigitsOfIntegersBeyondInt64) {
  const auto parsed = Json::parse(R"([12345678901234567890,1e30,9223372036854775807])");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->as_array()[0].integer_digits(), "12345678901234567890");
  EXPECT_TRUE(parsed->as_array()[0].is_double());
  EXPECT_EQ(parsed->as_array()[0].as_double(), 12345678901234567890.0);
  EXPECT_EQ(parsed->as_array()[1].integer_digits(), "");
  EXPECT_EQ(parsed->dump(), "[12345678901234567890,1e+30,9223372036854775807]");
}

TEST(Json, LastOfDuplicateNamesWinsInSmallAndLargeObjects) {
  EXPECT_EQ(Json::parse(R"({"a":1,"b":2,"a":3})")->dump(), R"({"a":3,"b":2})");
  std::string large = "{";
  for (int i = 0; i < 100; ++i) large += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  large += "\"k7\":\"seven\"}";
  const auto parsed = Json::parse(large);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->as_object().size(), 100U);
  EXPECT_EQ(parsed->find("k7")->as_string(), "seven");
}

TEST(Json, RefusesBrokenTextAndNamesTheFile) {
  EXPECT_FALSE(Json::parse("{\"a\":").ok());
  EXPECT_FALSE(Json::parse("").ok());
  const auto missing = Json::parse_file("/nonexistent/x.json");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("/nonexistent/x.json"), std::string::npos);
}

TEST(Json, ReadsIntegersOfAnyLengthAsDoubles) {
  const auto root = Json::parse(
      R"({"a": [1000000000000000019884624838656, -99999999999999999999], "b": "\"1234567890123456789012"})");
  ASSERT_TRUE(root.ok()) << root.error().text();
  EXPECT_EQ(root->find("a")->as_array()[0].as_double(), 1e30);
  EXPECT_EQ(root->find("a")->as_array()[1].as_double(), -1e20);
  EXPECT_EQ(root->find("b")->as_string(), "\"1234567890123456789012");
  EXPECT_FALSE(Json::parse("[1000000000000000019884624838656").ok());
}

TEST(Json, WritesInvalidUtf8AsReplacementCharacters) {
  std::string out;
  append_json_string(out, "a\xFF\xC3(\xE4\xBD\xA0\"\\\n\x01");
  EXPECT_EQ(out, "\"a\xEF\xBF\xBD\xEF\xBF\xBD(\xE4\xBD\xA0\\\"\\\\\\n\\u0001\"");
}

TEST(Json, WritesDoublesShortestAndNeverAsNonJson) {
  std::string out;
  append_json_double(out, 0.1);
  out += ' ';
  append_json_double(out, 1.0);
  out += ' ';
  append_json_double(out, -9999.0);
  out += ' ';
  append_json_double(out, 1.0 / 0.0);
  EXPECT_EQ(out, "0.1 1.0 -9999.0 null");
}

}  // namespace
}  // namespace seraph
