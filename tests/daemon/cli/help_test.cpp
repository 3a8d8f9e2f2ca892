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

TEST(Help, ATopicIsAGroupOrAWord) {
  const OptionTable table = server_options(Verb::kRun);
  const std::string limits = topic_help(table, "limits");
  EXPECT_NE(limits.find("--max-body-bytes"), std::string::npos);
  EXPECT_EQ(limits.find("--model"), std::string::npos);
  const std::string lookahead = topic_help(table, "Lookahead");
  EXPECT_NE(lookahead.find("--use-lookahead"), std::string::npos);
  EXPECT_NE(lookahead.find("No effect: "), std::string::npos);
  EXPECT_EQ(lookahead.find("--port"), std::string::npos);
  EXPECT_EQ(topic_help(table, ""), table_help(table, false));
  EXPECT_EQ(topic_help(table, "all"), table_help(table, true));
  EXPECT_NE(topic_help(table, "zzz").find("No option is about 'zzz'. Groups are: Model, Engine"), std::string::npos);
}

TEST(Help, TheReportTellsValuesAndOrigins) {
  const auto settings =
      resolve_settings(server_options(Verb::kRun), Verb::kRun,
                       Sources{{"--port", "9", "--num-lookahead-slots", "4", "--api-key", "k"}, nullptr});
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  const std::string text = settings_report(*settings);
  EXPECT_NE(text.find("# Server\n"), std::string::npos);
  EXPECT_NE(text.find("port                             9                            (command line)"),
            std::string::npos);
  EXPECT_NE(text.find("(command line) no effect: "), std::string::npos);
  EXPECT_EQ(text.find("scheduler-delay-factor"), std::string::npos) << "what does nothing and was not set is left out";
  EXPECT_NE(text.find("1 key"), std::string::npos) << "keys are never printed";
}

TEST(Help, OneOptionTellsDefaultsRangeAndVariable) {
  const std::string text = option_help(*server_options(Verb::kRun).find("max-model-len"));
  EXPECT_NE(text.find("MAX_MODEL_LEN (run only)"), std::string::npos);
  EXPECT_NE(text.find("range"), std::string::npos);
}

}  // namespace
}  // namespace seraph
