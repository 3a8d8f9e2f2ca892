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

}  // namespace
}  // namespace seraph
