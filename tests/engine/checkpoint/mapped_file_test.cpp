#include "engine/checkpoint/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace seraph {
namespace {

class MappedFileTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  const std::string path_ = (std::filesystem::temp_directory_path() / "seraph_mapped_file").string();
};

TEST_F(MappedFileTest, MapsWholeFilesAlsoEmptyOnes) {
  std::ofstream(path_) << "abc";
  auto file = MappedFile::open(path_);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->bytes().size(), 3U);
  EXPECT_EQ((*file)->bytes()[2], 'c');
  std::ofstream(path_, std::ios::trunc).close();
  auto empty = MappedFile::open(path_);
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE((*empty)->bytes().empty());
}

TEST_F(MappedFileTest, NamesWhatItCannotOpen) {
  const auto missing = MappedFile::open(path_);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message.find(path_), std::string::npos);
  EXPECT_FALSE(MappedFile::open("/tmp").ok());
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(MappedFile::open(path_).ok()) << "a pipe is no file, and must not make the loader wait";
}

TEST_F(MappedFileTest, ReadAheadMayBeStoppedAtAnyTimeAndReleasedPagesComeBack) {
  std::ofstream(path_) << std::string(3'000'001, 'x');
  const auto file = MappedFile::open(path_);
  ASSERT_TRUE(file.ok());
  for (int i = 0; i < 20; ++i) {
    const ReadAhead ahead({file->get(), file->get()});
    (*file)->dont_need(i * 1000, 2'000'000);
    EXPECT_EQ((*file)->bytes()[static_cast<size_t>(i) * 100'000], 'x');
  }
}

}  // namespace
}  // namespace seraph
