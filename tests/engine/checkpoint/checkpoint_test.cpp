#include "engine/checkpoint/checkpoint.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/engine/checkpoint/checkpoint_folder.h"

namespace seraph {
namespace {

const std::string kTwo = R"({"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                         R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]}})";
const std::string kTwoData = std::string("\0\0\x80\x3f\0\0\0\x40", 8) + std::string("\x80\x3f\0\x40", 4);

TEST_F(CheckpointFolder, GivesTensorsAsMatrices) {
  write_tensors("model.safetensors", kTwo, kTwoData);
  write("other.safetensors", "not weights");
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().text();
  EXPECT_EQ((*checkpoint)->weight_bytes(), 12);
  EXPECT_TRUE((*checkpoint)->has_tensor("w"));
  EXPECT_FALSE((*checkpoint)->has_tensor("x"));
  const auto w = (*checkpoint)->tensor("w", 2, 1);
  ASSERT_TRUE(w.ok());
  EXPECT_EQ(static_cast<const float*>(w->data)[1], 2.0F);
  const auto b = (*checkpoint)->tensor("b", 1, 2);
  ASSERT_TRUE(b.ok());
  EXPECT_EQ(b->dtype, DType::kBf16);
  (*checkpoint)->release(*w);
  EXPECT_EQ(static_cast<const float*>(w->data)[1], 2.0F) << "released pages stay readable";
}

TEST_F(CheckpointFolder, CopiesTensorsThatTheFileDoesNotAlign) {
  std::string header = kTwo;
  if (header.size() % 2 == 0) header += ' ';
  write_tensors("model.safetensors", header, kTwoData, 1);
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().text();
  const auto w = (*checkpoint)->tensor("w", 2, 1);
  ASSERT_TRUE(w.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(w->data) % 4, 0U);
  EXPECT_EQ(static_cast<const float*>(w->data)[0], 1.0F);
  (*checkpoint)->release(*w);
}

TEST_F(CheckpointFolder, NamesFileTensorAndBothShapes) {
  write_tensors("model.safetensors", kTwo, kTwoData);
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint.ok());
  const auto shape = (*checkpoint)->tensor("w", 3, 1);
  ASSERT_FALSE(shape.ok());
  for (const char* word : {"model.safetensors", "tensor w", "[2, 1]", "[3, 1]"}) {
    EXPECT_NE(shape.error().message.find(word), std::string::npos) << shape.error().text();
  }
  EXPECT_FALSE((*checkpoint)->tensor("b", 2, 1).ok()) << "a vector is one row";
  const auto missing = (*checkpoint)->tensor("x", 1, 1);
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("lacks the tensor x"), std::string::npos);
  write_tensors("model.safetensors", R"({"w":{"dtype":"I32","shape":[1,1],"data_offsets":[0,4]}})", "1234");
  const auto dtype = (*open())->tensor("w", 1, 1);
  ASSERT_FALSE(dtype.ok());
  EXPECT_NE(dtype.error().message.find("w is I32"), std::string::npos);
}

TEST_F(CheckpointFolder, ReadsShardsByTheirIndex) {
  write_tensors("a.safetensors", R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "1");
  write_tensors("b.safetensors",
                R"({"x":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},)"
                R"("w":{"dtype":"F16","shape":[1],"data_offsets":[2,4]}})",
                "1234");
  const std::string index = "model.safetensors.index.json";
  write(index, R"({"metadata":{},"weight_map":{"w":"b.safetensors"}})");
  auto checkpoint = open();
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().text();
  EXPECT_TRUE((*checkpoint)->tensor("w", 1, 1).ok()) << "the index says which w counts";
  EXPECT_TRUE((*checkpoint)->has_tensor("x")) << "a tensor that the index does not name";
  write(index, R"({"weight_map":{"w":"b.safetensors","y":"a.safetensors"}})");
  expect_refused(ErrorCode::kCorrupt, "\"y\" is in a.safetensors, but that file lacks it");
  write(index, R"({"weight_map":{"w":"model-00002-of-00002.safetensors"}})");
  expect_refused(ErrorCode::kNotFound, "model-00002-of-00002.safetensors");
  for (const char* broken : {R"({"weight_map":{"w":"../b.safetensors"}})", R"({"weight_map":{"w":7}})",
                             R"({"weight_map":{}})", R"({"weight_map":[]})", R"({})", R"([])", R"({"weight_map")"}) {
    write(index, broken);
    expect_refused(ErrorCode::kCorrupt, index);
  }
}

TEST_F(CheckpointFolder, FollowsALinkThatWasCheckedOutAsText) {
  std::filesystem::create_directories(dir_ / "other");
  write_tensors("other/weights.safetensors", kTwo, kTwoData);
  write("model.safetensors", "other/weights.safetensors");
  auto checkpoint = open();
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().text();
  EXPECT_TRUE((*checkpoint)->tensor("w", 2, 1).ok());
  std::filesystem::rename(dir_ / "model.safetensors", dir_ / "a.safetensors");
  write("model.safetensors.index.json", R"({"weight_map":{"w":"a.safetensors","b":"a.safetensors"}})");
  checkpoint = open();
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().text();
  write("a.safetensors", "other/nothing.safetensors");
  expect_refused(ErrorCode::kCorrupt, "a.safetensors: ");
}

TEST_F(CheckpointFolder, SaysWhatIsMissing) {
  expect_refused(ErrorCode::kNotFound, "holds no weights");
  write("pytorch_model.bin", "");
  expect_refused(ErrorCode::kUnsupported, "convert them to safetensors");
  std::filesystem::remove(dir_ / "pytorch_model.bin");
  write("model.gguf", "");
  expect_refused(ErrorCode::kUnsupported, "GGUF");
  write_tensors("model.safetensors", kTwo, kTwoData.substr(1));
  expect_refused(ErrorCode::kCorrupt,
                 "model.safetensors: tensor \"b\" ends at byte 12 of the data, but the file has 11");
  write("model.safetensors", "");
  expect_refused(ErrorCode::kCorrupt, "0 bytes");
  write("config.json", "{");
  expect_refused(ErrorCode::kCorrupt, "config.json");
  write("config.json", "[]");
  expect_refused(ErrorCode::kCorrupt, "config.json");
  std::filesystem::remove(dir_ / "config.json");
  expect_refused(ErrorCode::kNotFound, "config.json");
  std::filesystem::remove_all(dir_);
  expect_refused(ErrorCode::kNotFound, "no model folder");
}

TEST_F(CheckpointFolder, RefusesQuantisedCheckpointsByMethod) {
  write("config.json", R"({"quantization_config":{"quant_method":"gptq","bits":4}})");
  expect_refused(ErrorCode::kUnsupported, "gptq");
  write("config.json", R"({"quantization_config":null})");
  expect_refused(ErrorCode::kNotFound, "holds no weights");
}

TEST_F(CheckpointFolder, IgnoresWeightsWhenAsked) {
  EXPECT_TRUE(Checkpoint::open(dir_, Checkpoint::Weights::kIgnored, true).ok());
}

}  // namespace
}  // namespace seraph
