#include "daemon/commands/adapter_settings.h"

#include <gtest/gtest.h>

#include "daemon/commands/server_settings.h"

namespace seraph {
namespace {

Result<ServerSettings> settings_of(std::vector<std::string> args) {
  args.insert(args.begin(), SERAPH_TEST_DATA "/golden/api/model");
  const auto settings = resolve_server_settings(Verb::kServe, Sources{args, nullptr});
  if (!settings.ok()) return settings.error();
  return make_server_settings(Verb::kServe, *settings);
}

TEST(AdapterSettings, ModulesAreWordsOrJson) {
  const auto modules =
      parse_lora_modules({"a=/p", R"({"name": "b", "path": "/q", "base_model_name": "c"})", "d=/x=y"}).value();
  ASSERT_EQ(modules.size(), 3U);
  EXPECT_EQ(modules[0].name, "a");
  EXPECT_EQ(modules[0].path, "/p");
  EXPECT_EQ(modules[1].base_model_name, "c");
  EXPECT_EQ(modules[2].path, "/x=y");
  for (const char* word : {"bad", "=p", "a=", R"({"name": "a"})", R"({"name": 1, "path": "p"})", "{", R"([1])",
                           R"({"name": "a", "path": "p", "pth": "q"})"}) {
    EXPECT_FALSE(parse_lora_modules({word}).ok()) << word;
  }
  EXPECT_FALSE(parse_lora_modules({"a=/p", "a=/q"}).ok());
}

TEST(AdapterSettings, NothingIsReservedUnlessAskedFor) {
  const ServerSettings plain = settings_of({}).value();
  EXPECT_FALSE(plain.api.enable_lora);
  EXPECT_EQ(plain.engine.max_loras, 0);
  const ServerSettings some =
      settings_of({"--enable-lora", "--max-loras", "3", "--max-cpu-loras", "7", "--max-lora-rank", "64"}).value();
  EXPECT_TRUE(some.api.enable_lora);
  EXPECT_EQ(some.engine.max_loras, 3);
  EXPECT_EQ(some.engine.max_lora_rank, 64);
  EXPECT_EQ(some.api.adapters_resident_max, 7);
  EXPECT_TRUE(settings_of({"--lora-modules", "a=/p"}).value().api.enable_lora);
  EXPECT_FALSE(settings_of({"--enable-lora", "--max-loras", "3", "--max-cpu-loras", "2"}).ok());
}

TEST(AdapterSettings, RoutesOfChangeNeedAKeyOrLoopbackOrTheWord) {
  const auto has_routes = [](std::vector<std::string> args) {
    args.push_back("--enable-lora");
    return settings_of(args).value().api.runtime_adapters;
  };
  EXPECT_TRUE(has_routes({}));
  EXPECT_FALSE(has_routes({"--host", "0.0.0.0"}));
  EXPECT_TRUE(has_routes({"--host", "0.0.0.0", "--api-key", "k"}));
  EXPECT_TRUE(has_routes({"--host", "0.0.0.0", "--allow-runtime-lora-updating"}));
  EXPECT_FALSE(has_routes({"--no-allow-runtime-lora-updating"}));
}

}  // namespace
}  // namespace seraph
