#include "daemon/cli/help.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(Help, NamesEveryActingOptionOnceAndHidesTheRest) {
  const OptionTable table = server_options(Verb::kRun);
  const std::string text = table_help(table, false);
  for (const OptionRow* row : table.rows) {
    const size_t at = text.find("\n  " + option_flag(*row) + " ");
    EXPECT_EQ(at != std::string::npos, row->use == OptionUse::kActs) << row->name;
  }
  EXPECT_NE(table_help(table, true).find("--swap-space"), std::string::npos);
}

TEST(Help, LinesFitATerminal) {
  const std::string text = table_help(server_options(Verb::kServe), true) + overview_help();
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin)) {
    EXPECT_LE(end - begin, 120U) << text.substr(begin, end - begin);
  }
}

TEST(Help, OneOptionTellsDefaultsRangeAndVariable) {
  const std::string text = option_help(*server_options(Verb::kRun).find("max-model-len"));
  EXPECT_NE(text.find("MAX_MODEL_LEN (run only)"), std::string::npos);
  EXPECT_NE(text.find("range"), std::string::npos);
}

}  // namespace
}  // namespace seraph
