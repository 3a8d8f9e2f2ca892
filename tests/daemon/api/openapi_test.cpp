#include "daemon/api/openapi.h"

#include <gtest/gtest.h>

#include "daemon/api/fields.h"

namespace seraph {
namespace {

Json document() {
  return openapi_document({{"POST", "/v1/chat/completions", Access::kKey},
                           {"POST", "/tokenize", Access::kKey},
                           {"GET", "/v1/models/*", Access::kKey},
                           {"GET", "/page", Access::kOpen},
                           {"HEAD", "/page", Access::kOpen}},
                          "1.2.3");
}

const Json& body_of(const Json& all, const char* path) {
  return *all.find("paths")
              ->find(path)
              ->find("post")
              ->find("requestBody")
              ->find("content")
              ->find("application/json")
              ->find("schema");
}

TEST(OpenApi, DescribesEveryRouteWithItsGuard) {
  const Json all = document();
  EXPECT_EQ(all.find("info")->find("version")->as_string(), "1.2.3");
  ASSERT_EQ(all.find("paths")->as_object().size(), 4U);
  const Json& card = *all.find("paths")->find("/v1/models/{id}")->find("get");
  EXPECT_EQ(card.find("parameters")->as_array().front().find("name")->as_string(), "id");
  EXPECT_NE(card.find("security"), nullptr);
  EXPECT_EQ(card.find("requestBody"), nullptr);
  const Json& page = *all.find("paths")->find("/page");
  EXPECT_EQ(page.find("get")->find("security"), nullptr);
  EXPECT_EQ(page.find("head"), nullptr);
}

TEST(OpenApi, BodiesAreTheRowsOfTheFieldTable) {
  const Json all = document();
  const Json& chat = body_of(all, "/v1/chat/completions");
  EXPECT_EQ(chat.find("required")->dump(), R"(["messages"])");
  const Json& properties = *chat.find("properties");
  for (const FieldRule& rule : field_rules()) {
    const bool shown = (rule.endpoints & kChat) != 0 && rule.type != FieldType::kUnoffered;
    EXPECT_TRUE(!shown || properties.find(rule.name) != nullptr) << rule.name;
  }
  EXPECT_EQ(properties.find("temperature")->dump(), R"({"type":["number","null"],"minimum":0.0,"maximum":2.0})");
  EXPECT_EQ(properties.find("top_p")->dump(), R"({"type":["number","null"],"exclusiveMinimum":0.0,"maximum":1.0})");
  EXPECT_EQ(properties.find("ignore_eos")->dump(), R"({"type":"boolean"})");
  EXPECT_EQ(properties.find("tokens"), nullptr);
  EXPECT_EQ(body_of(all, "/tokenize").find("anyOf")->as_array().size(), 2U);
}

}  // namespace
}  // namespace seraph
