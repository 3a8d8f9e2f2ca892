#include "engine/checkpoint/config_reader.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

Json parse(const char* text) { return Json::parse(text).value(); }

TEST(ConfigReader, ReadsValuesAndFallsBackOnAbsentOnesAndNull) {
  const Json json = parse(R"({"a":3,"b":4.0,"c":null,"d":true,"e":"x","f":{"g":0.5}})");
  ConfigReader config(json, "dir/config.json");
  EXPECT_EQ(config.required_integer("a", 1, 10), 3);
  EXPECT_EQ(config.integer("b", 7, 1, 10), 4);
  EXPECT_EQ(config.integer("c", 7, 1, 10), 7);
  EXPECT_TRUE(config.is_null("c"));
  EXPECT_FALSE(config.has("c") || config.has("z") || config.is_null("z"));
  EXPECT_TRUE(config.boolean("d", false));
  EXPECT_EQ(config.text("e", "y"), "x");
  EXPECT_EQ(config.object("f").number("g", 1.0, 0.0, 1.0), 0.5);
  EXPECT_EQ(config.object("z").number("g", 1.0, 0.0, 1.0), 1.0);
  EXPECT_TRUE(config.status().ok());
}

TEST(ConfigReader, KeepsTheFirstErrorWithFileKeyAndRange) {
  const Json json = parse(R"({"a":30,"b":"x","n":{"k":-1}})");
  ConfigReader config(json, "dir/config.json");
  ConfigReader nested = config.object("n");
  EXPECT_EQ(nested.integer("k", 5, 1, 9), 5);
  config.take_error(nested);
  EXPECT_EQ(config.integer("a", 2, 1, 10), 2);
  EXPECT_FALSE(config.boolean("b", false));
  const Status status = config.status();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().param, "n.k");
  EXPECT_EQ(status.error().message, "dir/config.json: n.k is \"-1\", it must be a whole number from 1 to 9");
}

TEST(ConfigReader, RefusesOtherTypesAndNumbersOutOfRange) {
  const Json json = parse(R"({"v":[1],"big":1e300,"half":0.5,"text":"1"})");
  for (const char* key : {"v", "big", "half", "text", "absent"}) {
    ConfigReader config(json, "f");
    config.required_integer(key, 0, 100);
    EXPECT_FALSE(config.status().ok()) << key;
  }
  ConfigReader config(json, "f");
  config.object("text");
  EXPECT_FALSE(config.status().ok());
}

}  // namespace
}  // namespace seraph
