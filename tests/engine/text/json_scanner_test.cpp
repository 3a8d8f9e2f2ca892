#include "engine/text/json_scanner.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

/// True when the text is the beginning of some valid JSON value.
bool may_begin(std::string_view text) {
  JsonScanner scanner;
  for (size_t i = 0; i < text.size(); ++i) {
    const JsonScanner::Step step = scanner.feed(text[i]);
    if (step == JsonScanner::Step::kBad || step == JsonScanner::Step::kDoneBefore) return false;
    if (step == JsonScanner::Step::kDone && i + 1 < text.size()) return false;
  }
  return true;
}

TEST(JsonScanner, AcceptsWhatJsonAllows) {
  for (const char* text :
       {"{}", "[]", "0", "-0", "-1.5e+10", "1E5", "true", "null", "\"\"", "\"\\u00e9\\\"\\/\"", "[1, [2, {\"a\" : 3}]]",
        "{\"a\": {}, \"b\": []}", "{\"a\":1.0,\"a\":2}", "\"\xC3\xA9\x7F\""}) {
    EXPECT_TRUE(is_json_value(text)) << text;
  }
}

TEST(JsonScanner, RefusesWhatJsonForbids) {
  for (const char* text :
       {"",          "{",     "[1,]", "{\"a\":1,}", "{a:1}", "{'a':1}", "01",     "1.",      ".5",          "+1",
        "--1",       "1e",    "NaN",  "Infinity",   "tru",   "nul",     "\"\n\"", "\"\\x\"", "\"\\u12g4\"", "[1 2]",
        "{\"a\" 1}", "{1:2}", "[}",   "{]",         "{}}",   "1 ",      " 1",     "-"}) {
    EXPECT_FALSE(is_json_value(text)) << text;
  }
}

TEST(JsonScanner, TellsAPrefixFromABrokenValue) {
  for (const char* text : {"{\"a\": [1, {\"b\": \"x\\", "-", "1.", "1e+", "tr", "\"\\u12", "[", "{\"a\""}) {
    EXPECT_TRUE(may_begin(text)) << text;
  }
  for (const char* text : {"{\"a\": [1,]", "1.x", "trx", "{,", "[,", "{\"a\",", "\"\\q"}) {
    EXPECT_FALSE(may_begin(text)) << text;
  }
}

TEST(JsonScanner, BoundsItsDepth) {
  EXPECT_TRUE(may_begin(std::string(JsonScanner::kDepthMax, '[')));
  EXPECT_FALSE(may_begin(std::string(JsonScanner::kDepthMax + 1, '[')));
}

}  // namespace
}  // namespace seraph
