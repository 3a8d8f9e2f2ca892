// Argument lists recorded from the real `vllm serve`: we start where it starts and stop where it stops, except for what
// we take on purpose (older flags, every boolean spelling) or refuse on purpose (refused_options.cpp).
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "daemon/cli/settings.h"

namespace seraph {
namespace {

std::string golden_dir() {
  const auto named = process_environment("SERAPH_GOLDEN_DIR");
  return named ? *named : SERAPH_SOURCE_DIR "/../shared/golden";
}

std::vector<std::string> words_of(const Json& args) {
  std::vector<std::string> words;
  for (const Json& word : args.as_array()) words.push_back(word.as_string());
  return words;
}

/// The recorded --config file is put where this run may write.
void place_config(const Json& record, std::vector<std::string>& words, const std::string& folder) {
  const Json* text = record.find("file");
  for (size_t i = 0; text != nullptr && i + 1 < words.size(); ++i) {
    if (words[i] != "--config") continue;
    words[i + 1] = folder + "/" + std::filesystem::path(words[i + 1]).filename().string();
    std::ofstream(words[i + 1]) << text->as_string();
  }
}

void expect_value(const Settings& settings, const std::string& name, const Json& wanted, const std::string& line) {
  std::string dashed = name;
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  const OptionRow* row = settings.table().find(dashed == "model-tag" ? "" : dashed);
  // What is only taken has no value worth comparing, and the model has one place here where vLLM has two.
  if (row == nullptr || row->use != OptionUse::kActs || dashed == "model") return;
  const Setting& setting = settings.at(dashed);
  if (wanted.is_int()) {
    EXPECT_EQ(setting.number, wanted.as_int()) << line;
  }
  if (wanted.is_bool()) {
    EXPECT_EQ(setting.flag, wanted.as_bool()) << line;
  }
  if (wanted.is_string()) {
    EXPECT_EQ(setting.text, wanted.as_string() == "DEBUG" ? "debug" : wanted.as_string()) << line;
  }
  if (!wanted.is_array() || wanted.as_array().front().is_null()) return;
  if (wanted.as_array().front().is_object()) {  // our list has the words; the server reads them later
    EXPECT_EQ(setting.list.size(), wanted.as_array().size()) << line;
  } else if (!row->repeats_add) {
    EXPECT_EQ(setting.list, words_of(wanted)) << line;
  }
}

TEST(CommandLineGolden, AgreesWithTheRealServer) {
  std::ifstream file(golden_dir() + "/api/cli.jsonl");
  if (!file) GTEST_SKIP() << "no recorded truths in " << golden_dir();
  const std::string folder = ::testing::TempDir() + "seraph_cli_golden_" + std::to_string(getpid());
  std::filesystem::create_directories(folder);
  const OptionTable table = server_options(Verb::kServe);
  int cases = 0;
  int refused = 0;
  int taken = 0;
  for (std::string line; std::getline(file, line);) {
    const auto record = Json::parse(line);
    ASSERT_TRUE(record.ok());
    const Json* args = record->find("args");
    if (args == nullptr) continue;
    ++cases;
    std::vector<std::string> words = words_of(*args);
    place_config(*record, words, folder);
    const auto settings = resolve_settings(table, Verb::kServe, Sources{words, nullptr});
    const bool stops = record->find("exit") != nullptr || record->find("exception") != nullptr;
    if (!settings.ok()) {
      if (stops) continue;
      // Allowed reasons to stop where vLLM goes on: a refusal, or a value that it finds out about later.
      ++refused;
      const std::string& text = settings.error().message;
      EXPECT_TRUE(settings.error().code == ErrorCode::kUnsupported || text.find("out of range") != std::string::npos ||
                  text.find("invalid choice: 'nonsense'") != std::string::npos ||
                  text.find("{bad") != std::string::npos)
          << line << "\n"
          << text;
      continue;
    }
    if (stops) {
      ++taken;
      continue;
    }
    for (const auto& [name, value] : record->find("values")->as_object()) expect_value(*settings, name, value, line);
  }
  std::filesystem::remove_all(folder);
  // More than these would mean that something slipped through, or that something useful is refused.
  EXPECT_LE(taken, cases / 5);
  EXPECT_LE(refused, cases / 5);
  printf("%d argument lists, %d refused and %d taken on purpose\n", cases, refused, taken);
}

}  // namespace
}  // namespace seraph
