#include "tests/engine/grammar/grammar_support.h"

namespace seraph {
namespace {

using namespace test;  // NOLINT: the helpers are the vocabulary of these tests

TEST(SchemaFormatsTest, FormatsAreAsserted) {
  const auto of = [](const char* format) {
    return schema(std::string(R"({"type": "string", "format": ")") + format + "\"}");
  };
  expect_texts(of("date"), {"\"2024-02-29\""}, {"\"2023-02-29\"", "\"2024-13-01\""});
  expect_texts(of("date-time"), {"\"2024-05-06T07:08:09.5Z\"", "\"1998-12-31T23:59:60Z\""},
               {"\"2024-05-06\"", "\"1998-12-31T22:59:60Z\""});
  expect_texts(of("ipv6"), {"\"::1\"", "\"1:2::3.4.5.6\""}, {"\"1::2::3\"", "\"12345::\""});
  expect_texts(of("email"), {"\"a.b@c-d.org\""}, {"\"a..b@c.org\"", "\"a\""});
  expect_texts(of("hostname"), {"\"a-b.c\""}, {"\"-a\"", "\"a_b\"", "\"" + std::string(64, 'a') + "\""});
  expect_texts(of("uri"), {"\"http://u@h:1/p?q#f\""}, {"\"/p\"", "\"http://a b\""});
  expect_texts(of("uuid"), {"\"2EB8AA08-aa98-11ea-b4aa-73b441d16380\""}, {"\"2eb8aa08\""});
  expect_texts(of("no-such-format"), {"\"x\""}, {});
}

TEST(SchemaFormatsTest, LeapSecondsEndADayInUtc) {
  expect_texts(schema(R"({"type": "string", "format": "time"})"),
               {"\"23:59:60Z\"", "\"15:59:60.5-08:00\"", "\"05:29:60+05:30\"", "\"23:59:60-00:00\""},
               {"\"22:59:60Z\"", "\"23:59:60+01:00\"", "\"15:59:60+08:00\"", "\"23:59:61Z\""});
}

TEST(SchemaFormatsTest, UnicodeHostNamesFollowTheContextRules) {
  expect_texts(
      schema(R"({"type": "string", "format": "idn-hostname"})"),
      {"\"실례.테스트\"", "\"l·l.com\"", "\"α͵β\"", "\"א׳ב\"", "\"・ぁ\"", "\"ب٠ب\"", "\"a。b\"", "\"क्\u200Dष\""},
      {"\"a·l\"", "\"α͵\"", "\"׳ב\"", "\"・\"", "\"0a.א\"", "\"aא\"", "\"a..b\"", "\"\u200Dष\"", "\"xn--X\""});
  expect_texts(schema(R"({"type": "string", "format": "idn-email"})"),
               {"\"δοκιμή@example.com\"", "\"\\\"δ x\\\"@例.jp\""}, {"\"user＠example.com\"", "\"a b@example.com\""});
}

TEST(SchemaFormatsTest, RegexesHaveLookaroundAndOneName) {
  expect_texts(schema(R"({"type": "string", "format": "regex"})"), {"\"(?<=a+)b\"", "\"(?<name>x)\"", "\"(a(?!b))*\""},
               {"\"(?<=a\"", "\"(?P<name>x)\"", "\"(?<n>a)(?<n>b)\"", "\"(?<=a)*\""});
}

TEST(SchemaFormatsTest, ContentOfOldDraftsIsAsserted) {
  expect_texts(schema(R"({"contentMediaType": "application/json", "contentEncoding": "base64"})"),
               {"\"eyJmb28iOiAiYmFyIn0K\"", "\"MQ==\"", "\"MTI=\"", "7"},
               {"\"ezp9Cg==\"", "\"MR==\"", "\"{}\"", "\"MQ\""});
}

}  // namespace
}  // namespace seraph
