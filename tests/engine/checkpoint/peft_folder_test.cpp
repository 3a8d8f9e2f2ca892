#include "engine/checkpoint/peft_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "tests/engine/checkpoint/peft_writer.h"

namespace seraph {
namespace {

constexpr PeftLimits kLimits{.rank_max = 16, .file_bytes_max = 1 << 20};
constexpr const char* kConfig = R"({"peft_type": "LORA", "r": 2, "lora_alpha": 6})";
const std::string kModule = "model.layers.0.self_attn.q_proj";

using Opened = Result<std::unique_ptr<const PeftFolder>>;

Opened parse(const std::vector<PeftTensor>& tensors, const std::string& config = kConfig) {
  return PeftFolder::parse("DIR", config, peft_file(tensors), kLimits);
}

void expect_refused(const Opened& opened, const std::string& word) {
  ASSERT_FALSE(opened.ok()) << word;
  EXPECT_NE(opened.error().text().find(word), std::string::npos) << opened.error().text();
  EXPECT_FALSE(opened.error().remedy.empty()) << opened.error().text();
}

std::vector<PeftTensor> good() {
  std::vector<PeftTensor> tensors;
  add_lora(tensors, "base_model.model." + kModule, 2, 8, 4);
  return tensors;
}

TEST(PeftFolder, PairsBecomeModules) {
  const Opened folder = parse(good());
  ASSERT_TRUE(folder.ok()) << folder.error().text();
  ASSERT_EQ((*folder)->modules().size(), 1U);
  const PeftModule& module = (*folder)->modules()[0];
  EXPECT_EQ(module.name, kModule);
  EXPECT_EQ(module.a.rows, 2);
  EXPECT_EQ(module.a.cols, 8);
  EXPECT_EQ(module.b.rows, 4);
  EXPECT_EQ(module.b.cols, 2);
  EXPECT_FLOAT_EQ(module.scale, 3.0F);
  EXPECT_EQ(static_cast<const float*>(module.b.data)[7], good()[1].values[7]);
  EXPECT_EQ((*folder)->rank_max(), 2);
}

TEST(PeftFolder, WrappersAroundAModulesNameAreTakenOff) {
  for (const std::string& name :
       {kModule + ".lora_#.weight", "base_model.model.base_model.model." + kModule + ".lora_#.weight",
        "base_model.model._orig_mod." + kModule + ".lora_#.weight", kModule + ".lora_#.default.weight"}) {
    std::vector<PeftTensor> tensors = good();
    for (size_t i = 0; i < 2; ++i) tensors[i].name = std::string(name).replace(name.find('#'), 1, i == 0 ? "A" : "B");
    const Opened folder = parse(tensors);
    ASSERT_TRUE(folder.ok()) << name << ": " << folder.error().text();
    EXPECT_EQ((*folder)->modules()[0].name, kModule);
  }
}

TEST(PeftFolder, ATensorThatBeginsAtAnOddByteIsReadAllTheSame) {
  std::vector<uint8_t> file = peft_file(good());
  file.insert(file.begin() + 8 + file[0] + 256 * file[1], ' ');  // one more space behind the header
  if (++file[0] == 0) ++file[1];
  const Opened folder = PeftFolder::parse("DIR", kConfig, file, kLimits);
  ASSERT_TRUE(folder.ok()) << folder.error().text();
  const PeftModule& module = (*folder)->modules()[0];
  EXPECT_EQ(reinterpret_cast<uintptr_t>(module.a.data) % 4, 0U);
  EXPECT_EQ(static_cast<const float*>(module.a.data)[3], good()[0].values[3]);
}

TEST(PeftFolder, WhatDoesNotFitTogetherIsRefused) {
  std::vector<PeftTensor> tensors = good();
  tensors.pop_back();
  expect_refused(parse(tensors), "has lora_A but not lora_B");
  tensors = good();
  tensors.erase(tensors.begin());
  expect_refused(parse(tensors), "has lora_B but not lora_A");
  tensors = good();
  add_lora(tensors, kModule, 2, 8, 4);
  expect_refused(parse(tensors), "another time");
  expect_refused(parse(good(), R"({"peft_type": "LORA", "r": 8, "lora_alpha": 6})"), "adapter_config.json says 8");
  expect_refused(parse({}), "no LoRA matrices");
  tensors.clear();
  add_lora(tensors, kModule, 3, 8, 4);
  tensors[1] = {tensors[1].name, 4, 2, std::vector<float>(8)};
  expect_refused(parse(tensors), "rank 3 in lora_A and 2 in lora_B");
  tensors.clear();
  add_lora(tensors, kModule, 17, 8, 4);
  expect_refused(parse(tensors, R"({"peft_type": "LORA", "r": 17, "lora_alpha": 6})"), "--max-lora-rank is 16");
}

TEST(PeftFolder, TensorsThatAreNoLoraMatricesAreRefused) {
  for (const std::string& name : {std::string("unrelated"), kModule + ".lora_C.weight", kModule + ".lora_B.bias",
                                  kModule + ".bias", kModule + ".lora_magnitude_vector", std::string(".lora_A.weight"),
                                  std::string("lm_head.weight"), kModule + ".lora_A..weight"}) {
    std::vector<PeftTensor> tensors = good();
    tensors.push_back({name, 1, 2, {1, 2}});
    expect_refused(parse(tensors), "is no LoRA matrix");
  }
  std::vector<PeftTensor> tensors = good();
  tensors[0].dtype = "I32";
  expect_refused(parse(tensors), "is I32");
  tensors = good();
  tensors[0].rows = 16;
  tensors[0].cols = 0;
  expect_refused(parse(tensors), "has shape [16]");
}

TEST(PeftFolder, ValuesThatSixteenBitsDoNotHoldAreRefused) {
  for (const float value : {std::nanf(""), std::numeric_limits<float>::infinity(), -65536.0F}) {
    std::vector<PeftTensor> tensors = good();
    tensors[1].values[5] = value;
    expect_refused(parse(tensors), "not finite");
  }
}

TEST(PeftFolder, TheVersionFollowsTheContents) {
  std::vector<PeftTensor> tensors = good();
  const uint64_t version = parse(tensors).value()->version();
  EXPECT_EQ(parse(tensors).value()->version(), version);
  tensors[1].values[0] += 1;
  EXPECT_NE(parse(tensors).value()->version(), version);
  EXPECT_NE(parse(good(), R"({"peft_type": "LORA", "r": 2, "lora_alpha": 7})").value()->version(), version);
}

class PeftOnDisk : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(dir_); }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  const std::filesystem::path dir_ = std::filesystem::temp_directory_path() / "seraph_peft_folder";
};

TEST_F(PeftOnDisk, AFolderIsReadWhole) {
  write_peft_folder(dir_, kConfig, good());
  const Opened folder = PeftFolder::open(dir_, kLimits);
  ASSERT_TRUE(folder.ok()) << folder.error().text();
  EXPECT_EQ((*folder)->modules().size(), 1U);
}

TEST_F(PeftOnDisk, WhatIsMissingIsNamed) {
  const Opened absent = PeftFolder::open(dir_, kLimits);
  expect_refused(absent, "no adapter_config.json");
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  write_peft_folder(dir_, kConfig, good());
  std::filesystem::remove(dir_ / "adapter_model.safetensors");
  expect_refused(PeftFolder::open(dir_, kLimits), "is incomplete");
  std::ofstream(dir_ / "adapter_model.bin") << "pickle";
  expect_refused(PeftFolder::open(dir_, kLimits), "pickle");
}

TEST_F(PeftOnDisk, PipesAndGiantsAreRefused) {
  write_peft_folder(dir_, kConfig, good());
  expect_refused(PeftFolder::open(dir_, {.rank_max = 16, .file_bytes_max = 16}), "at most 16");
  std::filesystem::remove(dir_ / "adapter_model.safetensors");
  ASSERT_EQ(mkfifo((dir_ / "adapter_model.safetensors").c_str(), 0600), 0);
  expect_refused(PeftFolder::open(dir_, kLimits), "is not a file");
}

}  // namespace
}  // namespace seraph
