#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "daemon/cli/help.h"

namespace seraph {
namespace {

TEST(OptionsMarkdown, TheFileIsCurrent) {
  std::ifstream file(SERAPH_SOURCE_DIR "/config/OPTIONS.md");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(text, options_markdown()) << "run: build/seraph help markdown > config/OPTIONS.md";
}

TEST(OptionsMarkdown, NamesEveryOptionOnce) {
  const std::string text = options_markdown();
  for (const OptionRow* row : server_options(Verb::kRun).rows) {
    const std::string begin = "\n| `" + option_flag(*row) + "`";
    const size_t at = text.find(begin);
    EXPECT_NE(at, std::string::npos) << row->name;
    EXPECT_EQ(text.find(begin, at + 1), std::string::npos) << row->name;
  }
}

}  // namespace
}  // namespace seraph
