// A model folder that a test writes file by file; removed with the test.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "engine/checkpoint/checkpoint.h"

namespace seraph {

class CheckpointFolder : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() /
           (std::string("seraph_checkpoint_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
    write("config.json", "{}");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  void write(const std::string& name, const std::string& text) const { std::ofstream(dir_ / name) << text; }

  /// A safetensors file with the header padded to a multiple of `padding` bytes.
  void write_tensors(const std::string& name, std::string header, const std::string& data, size_t padding = 8) const {
    while (header.size() % padding != 0) header += ' ';
    std::string bytes(8, '\0');
    for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> (8 * i));
    std::ofstream(dir_ / name, std::ios::binary) << bytes << header << data;
  }

  Result<std::unique_ptr<Checkpoint>> open() const {
    return Checkpoint::open(dir_, Checkpoint::Weights::kRequired, true);
  }

  void expect_refused(ErrorCode code, const std::string& word) const {
    const auto checkpoint = open();
    ASSERT_FALSE(checkpoint.ok());
    EXPECT_EQ(checkpoint.error().code, code);
    EXPECT_NE(checkpoint.error().text().find(word), std::string::npos) << checkpoint.error().text();
    EXPECT_NE(checkpoint.error().message.find(dir_.string()), std::string::npos) << checkpoint.error().text();
    EXPECT_FALSE(checkpoint.error().remedy.empty()) << checkpoint.error().text();
  }

  std::filesystem::path dir_;
};

}  // namespace seraph
