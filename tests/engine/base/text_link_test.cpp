#include "engine/base/text_link.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace seraph {
namespace {

class TextLink : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_ / "a");
    std::filesystem::create_directories(dir_ / "b");
    write("b/target", "what the link stands for");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  void write(const char* name, const std::string& text) const { std::ofstream(dir_ / name, std::ios::binary) << text; }
  std::string path(const char* name) const { return (dir_ / name).string(); }

  const std::filesystem::path dir_ = std::filesystem::temp_directory_path() / "seraph_text_link";
};

TEST_F(TextLink, LeadsToTheFileThatItsWholeTextNames) {
  write("a/link", "../b/target");
  EXPECT_EQ(follow_text_link(path("a/link")), path("b/target"));
  write("b/link", "target");
  EXPECT_EQ(follow_text_link(path("b/link")), path("b/target"));
}

TEST_F(TextLink, IsFollowedOnce) {
  write("a/second", "link");
  write("a/link", "../b/target");
  EXPECT_EQ(follow_text_link(path("a/second")), path("a/link"));
  write("a/self", "self");
  EXPECT_EQ(follow_text_link(path("a/self")), path("a/self"));
}

TEST_F(TextLink, AnythingElseIsTheFileItself) {
  const std::string long_text = std::string(1100, '.') + "/../b/target";
  for (const std::string& text : {std::string(), std::string("../b/nothing"), std::string("../b"), path("b/target"),
                                  std::string("../b/target\n"), std::string("../b/target\0", 12), long_text}) {
    write("a/link", text);
    EXPECT_EQ(follow_text_link(path("a/link")), path("a/link")) << text;
  }
  EXPECT_EQ(follow_text_link(path("a/missing")), path("a/missing"));
  EXPECT_EQ(follow_text_link(path("a")), path("a"));
  ASSERT_EQ(mkfifo(path("a/pipe").c_str(), 0600), 0);
  EXPECT_EQ(follow_text_link(path("a/pipe")), path("a/pipe")) << "reading a pipe would wait for its writer";
}

}  // namespace
}  // namespace seraph
