// What the options of adapters take and refuse on the command line.
#include <gtest/gtest.h>

#include "daemon/cli/settings.h"

namespace seraph {
namespace {

Result<Settings> resolve(std::vector<std::string> words) {
  static const OptionTable table = server_options(Verb::kServe);
  return resolve_settings(table, Verb::kServe, Sources{words, nullptr});
}

TEST(AdapterOptions, ModulesAreAListOfWords) {
  const auto settings = resolve({"--lora-modules", "a=/p", "b=/q", "--max-loras", "2"});
  ASSERT_TRUE(settings.ok()) << settings.error().message;
  EXPECT_EQ(settings->list("lora-modules"), (std::vector<std::string>{"a=/p", "b=/q"}));
  EXPECT_EQ(settings->number("max-loras"), 2);
  EXPECT_EQ(settings->number("max-lora-rank"), 16);
  EXPECT_FALSE(settings->flag("enable-lora"));
}

TEST(AdapterOptions, NumbersOutOfRangeAreRefusedByName) {
  for (const char* name : {"--max-loras", "--max-lora-rank"}) {
    const auto settings = resolve({name, "0"});
    ASSERT_FALSE(settings.ok()) << name;
    EXPECT_NE(settings.error().message.find(std::string(name).substr(2)), std::string::npos)
        << settings.error().message;
  }
}

}  // namespace
}  // namespace seraph
