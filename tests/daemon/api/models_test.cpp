#include "daemon/api/models.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(ModelsTest, EveryServedNameHasACard) {
  ApiOptions options;
  options.served_model_names = {"a", "b"};
  options.model_path = "/data/model";
  EngineInfo info;
  info.max_model_len = 512;
  const auto random = [] { return uint64_t{0xABC}; };
  const Json list = Json::parse(models_json(options, {}, info, 17, random)).value();
  ASSERT_EQ(list.find("data")->as_array().size(), 2U);
  const Json& card = list.find("data")->as_array()[1];
  EXPECT_EQ(card.find("id")->as_string(), "b");
  EXPECT_EQ(card.find("root")->as_string(), "/data/model");
  EXPECT_EQ(card.find("max_model_len")->as_int(), 512);
  EXPECT_EQ(card.find("permission")->as_array()[0].find("id")->as_string(), "modelperm-0000000000000abc");
  EXPECT_TRUE(model_json("a", options, {}, info, 17, random));
  EXPECT_FALSE(model_json("c", options, {}, info, 17, random));
}

TEST(ModelsTest, AdaptersFollowWithTheirParents) {
  ApiOptions options;
  options.served_model_names = {"a", "b"};
  options.model_path = "/data/model";
  const std::vector<AdapterModule> adapters = {{.name = "lion", .path = "/data/lion"},
                                               {.name = "cat", .path = "/data/cat", .base_model_name = "base"}};
  const auto random = [] { return uint64_t{0xABC}; };
  const Json list = Json::parse(models_json(options, adapters, {}, 17, random)).value();
  const Json::Array& cards = list.find("data")->as_array();
  ASSERT_EQ(cards.size(), 4U);
  EXPECT_EQ(cards[2].find("id")->as_string(), "lion");
  EXPECT_EQ(cards[2].find("root")->as_string(), "/data/lion");
  EXPECT_EQ(cards[2].find("parent")->as_string(), "a");
  EXPECT_TRUE(cards[2].find("max_model_len")->is_null());
  EXPECT_EQ(cards[3].find("parent")->as_string(), "base");
  EXPECT_TRUE(cards[0].find("parent")->is_null());
  EXPECT_TRUE(model_json("cat", options, adapters, {}, 17, random));
}

}  // namespace
}  // namespace seraph
