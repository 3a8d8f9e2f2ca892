#include "daemon/api/coerce.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

Json json(const char* text) { return Json::parse(text).value(); }

TEST(Coerce, BringsWhatMeansTheSameToTheType) {
  for (const char* five : {"5", "5.0", "\"5\"", "\" 5 \"", "\"5.0\""}) {
    Json value = json(five);
    EXPECT_FALSE(to_int(value, "body.x")) << five;
    EXPECT_EQ(value.as_int(), 5) << five;
  }
  Json yes = json("\"on\"");
  EXPECT_FALSE(to_bool(yes, "body.x"));
  EXPECT_TRUE(yes.as_bool());
  Json number = json("\" +1.5\"");
  EXPECT_FALSE(to_float(number, "body.x"));
  EXPECT_EQ(number.as_double(), 1.5);
}

TEST(Coerce, NamesPlaceAndTypeOfWhatCannotBeBroughtThere) {
  const auto type = [](auto convert, const char* text) {
    Json value = json(text);
    const auto error = convert(value, "body.x");
    EXPECT_TRUE(error && error->loc == "body.x") << text;
    return error ? error->type : "";
  };
  EXPECT_EQ(type(to_int, "1.5"), "int_from_float");
  EXPECT_EQ(type(to_int, "\"x\""), "int_parsing");
  EXPECT_EQ(type(to_int, "[]"), "int_type");
  EXPECT_EQ(type(to_float, "\"x\""), "float_parsing");
  EXPECT_EQ(type(to_float, "null"), "float_type");
  EXPECT_EQ(type(to_bool, "2"), "bool_parsing");
  EXPECT_EQ(type(to_bool, "{}"), "bool_type");
  Json beyond = json("9");
  EXPECT_EQ(to_bounded_int(beyond, "body.x", 0, 8)->type, "less_than_equal");
}

}  // namespace
}  // namespace seraph
