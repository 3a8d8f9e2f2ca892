#include "daemon/cli/yaml.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

std::string dump(std::string_view text) {
  auto value = parse_yaml(text);
  return value.ok() ? value->dump() : "error: " + value.error().message;
}

TEST(Yaml, ReadsScalarsListsAndMaps) {
  EXPECT_EQ(dump("a: 1\nb: 0.5\nc: text\nd: yes\ne: Off\nf: ~\ng:\nh: \"1\"\n"),
            R"({"a":1,"b":0.5,"c":"text","d":true,"e":false,"f":null,"g":null,"h":"1"})");
  EXPECT_EQ(dump("a:\n  - x\n  - {y: 1}\nb: [1, 'two']\n"), R"({"a":["x",{"y":1}],"b":[1,"two"]})");
  EXPECT_EQ(dump("# nothing but a comment\n"), "null");
  EXPECT_EQ(dump(""), "null");
  EXPECT_EQ(dump("a: /data/model # folder"), R"({"a":"/data/model"})");
  EXPECT_EQ(dump("a: inf"), R"({"a":"inf"})");
}

TEST(Yaml, ErrorsNameLineAndColumn) {
  EXPECT_EQ(dump("a: [\n").find("error: line 2"), 0U);
  EXPECT_EQ(dump("a: 1\na: 2\n"), "error: line 2, column 1: 'a' stands twice");
  EXPECT_NE(dump("a: &x 1\nb: *x\n").find("not supported"), std::string::npos);
  EXPECT_NE(dump("? [a]\n: 1\n").find("plain word"), std::string::npos);
  EXPECT_NE(dump("a: 1\n---\nb: 2\n").find("second document"), std::string::npos);
  EXPECT_NE(dump(std::string(100, '[')).find("deeper"), std::string::npos);
  EXPECT_NE(dump("\x01\xff").find("error"), std::string::npos);
}

}  // namespace
}  // namespace seraph
