#include "daemon/api/body.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace seraph {
namespace {

struct Parsed {
  std::optional<ApiError> error;
  Json value;
};

Parsed parse(std::string_view text) {
  Parsed out;
  out.error = parse_body(text, out.value);
  return out;
}

TEST(BodyTest, TakesWhatSimdjsonTakes) {
  const Parsed parsed = parse(R"({"a":[1,2.5,"x",null,true]})");
  ASSERT_FALSE(parsed.error);
  EXPECT_EQ(parsed.value.dump(), R"({"a":[1,2.5,"x",null,true]})");
}

TEST(BodyTest, TakesPythonsNumbers) {
  EXPECT_TRUE(std::isnan(parse(R"({"t":NaN})").value.find("t")->as_double()));
  EXPECT_EQ(parse(R"({"t":-Infinity})").value.find("t")->as_double(), -HUGE_VAL);
  EXPECT_EQ(parse(R"({"t":1e400})").value.find("t")->as_double(), HUGE_VAL);
  EXPECT_EQ(parse(R"({"t":NaN,"u":1e-400})").value.find("u")->as_double(), 0.0);
}

TEST(BodyTest, TakesByteOrderMarksAndWideEncodings) {
  EXPECT_EQ(parse("\xEF\xBB\xBF{\"a\":1}").value.dump(), "{\"a\":1}");
  EXPECT_EQ(parse(std::string_view("\xFF\xFE{\0\"\0a\0\"\0:\0001\0}\0", 16)).value.dump(), "{\"a\":1}");
  EXPECT_EQ(parse(std::string_view("\0{\0\"\0a\0\"\0:\0001\0}", 14)).value.dump(), "{\"a\":1}");
  EXPECT_TRUE(parse(std::string_view("\xFF\xFE{\0\"\0\x00\xD8\"\0", 10)).error->bare);
}

TEST(BodyTest, LastOfDuplicateNamesCounts) {
  EXPECT_EQ(parse(R"({"a":1,"b":NaN,"a":2})").value.find("a")->as_int(), 2);
  EXPECT_EQ(parse(R"({"a":1,"a":2})").value.find("a")->as_int(), 2);
}

struct BadJson {
  const char* text;
  const char* place;
  const char* reason;
};

class BadJsonTest : public testing::TestWithParam<BadJson> {};

TEST_P(BadJsonTest, NamesTheCharacterAsPythonDoes) {
  const Parsed parsed = parse(GetParam().text);
  ASSERT_TRUE(parsed.error);
  EXPECT_EQ(parsed.error->status, 400);
  EXPECT_EQ(parsed.error->type, "Bad Request");
  EXPECT_EQ(parsed.error->param, GetParam().place);
  EXPECT_NE(parsed.error->message.find(GetParam().reason), std::string::npos) << parsed.error->message;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BadJsonTest,
    testing::Values(BadJson{"hello", "body.0", "Expecting value"},
                    BadJson{"{'a':1}", "body.1", "Expecting property name"},
                    BadJson{"{\"a\":1,}", "body.7", "Expecting property name"},
                    BadJson{"{\"a\":1", "body.6", "Expecting ',' delimiter"},
                    BadJson{"{\"a\" 1}", "body.5", "Expecting ':'"}, BadJson{"{\"a\":1}x", "body.7", "Extra data"},
                    BadJson{"[1,]", "body.3", "Expecting value"}, BadJson{"{\"ü\":x}", "body.5", "Expecting value"},
                    BadJson{"{\"a\":\"b\tc\"}", "body.7", "Invalid control character at"},
                    BadJson{"{\"a\":\"b", "body.5", "Unterminated string"}, BadJson{"", "body", "Field required"}));

TEST(BodyTest, UnreadableBodiesHaveTheirOwnShape) {
  EXPECT_TRUE(parse("{\"a\":\"\xFF\"}").error->bare);
  EXPECT_TRUE(parse(std::string(100'000, '[')).error->bare);
  EXPECT_EQ(error_json(*parse("\"\xC3\"").error), "{\"detail\":\"There was an error parsing the body\"}");
}

TEST(BodyTest, RefusesLoneSurrogates) {
  EXPECT_EQ(parse(R"({"a":"x\ud800y"})").error->type, "BadRequestError");
  EXPECT_EQ(parse(R"({"a":"\ud83d\ude42"})").value.find("a")->as_string(), "\xF0\x9F\x99\x82");
}

TEST(BodyTest, MediaType) {
  EXPECT_TRUE(is_json_media_type("application/json"));
  EXPECT_TRUE(is_json_media_type("Application/JSON; charset=utf-8"));
  EXPECT_TRUE(is_json_media_type("application/json;"));
  EXPECT_FALSE(is_json_media_type(""));
  EXPECT_FALSE(is_json_media_type("text/plain"));
  EXPECT_FALSE(is_json_media_type("application/json2"));
}

TEST(BodyTest, ManyValuesAreRefusedBeforeTheyTakeMemory) {
  std::string numbers = "[0";
  for (int64_t i = 0; i < kBodyValuesMax; ++i) numbers += ",0";
  Json out;
  EXPECT_EQ(parse_body(numbers + ']', out)->message, "the body holds more than 2000000 values");
  EXPECT_EQ(parse_body(numbers + ",NaN]", out)->message, "the body holds more than 2000000 values");
  std::string wide;
  for (const char c : numbers + ']') wide += std::string{c, '\0'};
  EXPECT_EQ(parse_body(wide, out)->message, "the body holds more than 2000000 values");
  std::string text = "[\"\\\"";
  for (int64_t i = 0; i < kBodyValuesMax; ++i) text += ",[";
  EXPECT_FALSE(parse_body(text + "\"]", out)) << "commas of a text are text";
}

}  // namespace
}  // namespace seraph
