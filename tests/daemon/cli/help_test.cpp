#include "daemon/cli/help.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(Help, NamesEveryActingOptionOnceAndHidesTheRest) {
  const OptionTable table = server_options(Verb::kRun);
  const std::string text = table_help(table, false);
  for (const OptionRow* row : table.rows) {
    const std::string line = "\n  " + option_flag(*row);
    const bool found = text.find(line + " ") != std::string::npos || text.find(line + "\n") != std::string::npos;
    EXPECT_EQ(found, row->use == OptionUse::kActs) << row->name;
  }
  EXPECT_NE(table_help(table, true).find("--swap-space"), std::string::npos);
  EXPECT_EQ(table_help(table, true).find(" \n"), std::string::npos) << "a line ends with a space";
}

TEST(Help, LinesFitATerminal) {
  const std::string text = table_help(server_options(Verb::kServe), true) + overview_help();
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin)) {
    EXPECT_LE(end - begin, 120U) << text.substr(begin, end - begin);
  }
}

TEST(Help, SwappedLettersAreOneSlip) {
  EXPECT_EQ(server_options(Verb::kRun).nearest("prot"), "--port");
  EXPECT_EQ(server_options(Verb::kRun).nearest("zzzz"), "");
}

TEST(Help, OneOptionTellsDefaultsRangeAndVariable) {
  const std::string text = option_help(*server_options(Verb::kRun).find("max-model-len"));
  EXPECT_NE(text.find("MAX_MODEL_LEN (run only)"), std::string::npos);
  EXPECT_NE(text.find("range"), std::string::npos);
}

}  // namespace
}  // namespace seraph
