// Every flag of the real server's argument parser, one by one: each of its names is known, and a value of its type is
// taken to effect, taken with one line that says why it has none, or refused with a reason.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>

#include "daemon/cli/settings.h"

namespace seraph {
namespace {

std::string golden_dir() {
  const auto named = process_environment("SERAPH_GOLDEN_DIR");
  return named ? *named : SERAPH_SOURCE_DIR "/../shared/golden";
}

std::string text_member(const Json& flag, const char* name) {
  const Json* value = flag.find(name);
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

/// A word that suits the row: its own default, else one of its type.
std::vector<std::string> sample_value(const OptionRow& row) {
  if (*row.serve_default != '\0') return {row.serve_default};
  if (*row.choices != '\0') return {std::string(row.choices).substr(0, std::string(row.choices).find('|'))};
  switch (row.type) {
    case OptionType::kBool:
      return {};
    case OptionType::kInt:
    case OptionType::kBytes:
      return {"1"};
    case OptionType::kFloat:
      return {"0.5"};
    case OptionType::kJson:
      return {R"({"a":1})"};
    default:
      return {"x"};
  }
}

void expect_known(const Json& flag, std::map<OptionUse, int>& uses) {
  std::vector<std::string> names = {text_member(flag, "name")};
  for (const Json& alias : flag.find("aliases")->as_array()) names.push_back(alias.as_string());
  for (const std::string& name : names) {
    const OptionTable table = server_options(Verb::kServe);
    const bool is_short = !name.starts_with("--");
    std::string bare = name.substr(is_short ? 0 : 2);
    if (table.find(bare) == nullptr && bare.starts_with("no-")) bare = bare.substr(3);
    const OptionRow* row = is_short ? table.find_short(name) : table.find(bare);
    ASSERT_NE(row, nullptr) << name;
    ++uses[row->use];
    std::vector<std::string> args = {"m", name};
    for (const std::string& word : sample_value(*row)) args.push_back(word);
    // A config file that is not there is an error of its own.
    if (name == "--config") continue;
    const auto settings = resolve_settings(table, Verb::kServe, Sources{args, nullptr});
    if (row->use == OptionUse::kRefused) {
      if (!settings.ok()) {
        EXPECT_EQ(settings.error().code, ErrorCode::kUnsupported) << settings.error().text();
      }
      EXPECT_FALSE(std::string(row->help).empty());
      continue;
    }
    ASSERT_TRUE(settings.ok()) << name << ": " << settings.error().text();
    EXPECT_EQ(settings->notes().size(), row->use == OptionUse::kAccepted ? 1U : 0U) << name;
  }
}

TEST(FlagsGolden, EveryFlagOfTheRealServerActsOrSaysWhyNot) {
  const auto recorded = Json::parse_file(golden_dir() + "/api/flags.json");
  if (!recorded.ok()) GTEST_SKIP() << "no recorded truths in " << golden_dir();
  std::map<OptionUse, int> uses;
  int flags = 0;
  for (const Json& flag : recorded->find("flags")->as_array()) {
    const std::string name = text_member(flag, "name");
    if (name == "--help" || name == "model_tag") continue;  // the word by position, and the page of help
    ++flags;
    expect_known(flag, uses);
  }
  EXPECT_GT(flags, 0);
  printf("%d flags: %d spellings act, %d are taken, %d are refused\n", flags, uses[OptionUse::kActs],
         uses[OptionUse::kAccepted], uses[OptionUse::kRefused]);
}

}  // namespace
}  // namespace seraph
