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
  const Json list = Json::parse(models_json(options, info, 17, random)).value();
  ASSERT_EQ(list.find("data")->as_array().size(), 2U);
  const Json& card = list.find("data")->as_array()[1];
  EXPECT_EQ(card.find("id")->as_string(), "b");
  EXPECT_EQ(card.find("root")->as_string(), "/data/model");
  EXPECT_EQ(card.find("max_model_len")->as_int(), 512);
  EXPECT_EQ(card.find("permission")->as_array()[0].find("id")->as_string(), "modelperm-0000000000000abc");
  EXPECT_TRUE(model_json("a", options, info, 17, random));
  EXPECT_FALSE(model_json("c", options, info, 17, random));
}

}  // namespace
}  // namespace seraph
