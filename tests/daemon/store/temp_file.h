// A database path of its own for each test, removed with its WAL files.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace seraph {

class TempFile {
 public:
  TempFile() {
    std::string name = testing::TempDir() + "seraph_store_XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~TempFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  std::string path() const { return folder_ + "/seraph.db"; }
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
};

}  // namespace seraph
