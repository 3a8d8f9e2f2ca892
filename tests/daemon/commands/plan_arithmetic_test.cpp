#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "daemon/commands/plan.h"

namespace seraph {
namespace {

PlanShape llama_8b() {
  return PlanShape{.parameters_b = 8,
                   .hidden_size = 4096,
                   .num_layers = 32,
                   .num_heads = 32,
                   .num_kv_heads = 8,
                   .context_tokens = 131072};
}

PlanShape qwen2_72b() {
  return PlanShape{.parameters_b = 72,
                   .hidden_size = 8192,
                   .num_layers = 80,
                   .num_heads = 64,
                   .num_kv_heads = 8,
                   .context_tokens = 32768};
}

TEST(Plan, Llama8bNeedsWhatIsPublished) {
  const auto plan = plan_memory(llama_8b());
  ASSERT_TRUE(plan.ok());
  EXPECT_DOUBLE_EQ(plan->kv_gib, 16);
  EXPECT_NEAR(plan->needed_gib, 35.56, 0.005);
  EXPECT_EQ(plan_cards(llama_8b(), *plan, 24), 2);
  EXPECT_EQ(plan_cards(llama_8b(), *plan, 40), 1);
  EXPECT_EQ(plan_cards(llama_8b(), *plan, 48), 1);
}

TEST(Plan, Qwen72bNeedsWhatIsPublished) {
  const auto plan = plan_memory(qwen2_72b());
  ASSERT_TRUE(plan.ok());
  EXPECT_DOUBLE_EQ(plan->kv_gib, 10);
  EXPECT_NEAR(plan->needed_gib, 171.11, 0.005);
  EXPECT_EQ(plan_cards(qwen2_72b(), *plan, 24), 8);
  EXPECT_EQ(plan_cards(qwen2_72b(), *plan, 40), 8) << "five would do, but do not divide 64 heads";
  EXPECT_EQ(plan_cards(qwen2_72b(), *plan, 48), 4);
  EXPECT_EQ(plan_cards(qwen2_72b(), *plan, 1), 0);
}

TEST(Plan, MissingNumbersAreErrors) {
  PlanShape shape = llama_8b();
  shape.parameters_b = 0;
  EXPECT_FALSE(plan_memory(shape).ok());
  shape = llama_8b();
  shape.num_kv_heads = 0;
  EXPECT_FALSE(plan_memory(shape).ok());
  shape = llama_8b();
  shape.memory_utilization = 0;
  EXPECT_FALSE(plan_memory(shape).ok());
}

class PlanFolder : public ::testing::Test {
 protected:
  PlanFolder() : path_(::testing::TempDir() + "seraph_plan_" + std::to_string(getpid())) {
    std::filesystem::create_directories(path_);
    write("config.json",
          R"({"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128})");
  }
  ~PlanFolder() override { std::filesystem::remove_all(path_); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << text;
  }
  void write_weights(const std::string& header, uint64_t size) const {
    std::string text(8, '\0');
    for (int i = 0; i < 8; ++i) text[static_cast<size_t>(i)] = static_cast<char>(size >> (8 * i));
    write("model.safetensors", text + header);
  }
  const std::string path_;
};

TEST_F(PlanFolder, ReadsConfigAndHeaders) {
  const std::string header =
      R"({"a":{"dtype":"F32","shape":[10,100],"data_offsets":[0,4000]},"__metadata__":{"x":"y"}})";
  write_weights(header, header.size());
  const auto shape = read_plan_shape(path_);
  ASSERT_TRUE(shape.ok()) << shape.error().text();
  EXPECT_EQ(shape->num_kv_heads, 4) << "without the key every head has its own";
  EXPECT_DOUBLE_EQ(shape->parameters_b, 1e-6);
  EXPECT_DOUBLE_EQ(shape->bytes_per_weight, 4);
  EXPECT_DOUBLE_EQ(shape->weights_gib, 4000 / 1073741824.0);
  EXPECT_DOUBLE_EQ(shape->linear_parameters_b, 0) << "the tensor is not in a layer";
}

TEST_F(PlanFolder, BrokenFilesAreErrors) {
  write_weights("{}", 1ULL << 60);
  EXPECT_FALSE(read_plan_shape(path_).ok());
  write_weights("{}", 100);
  EXPECT_FALSE(read_plan_shape(path_).ok());
  write_weights("[1]", 3);
  EXPECT_FALSE(read_plan_shape(path_).ok());
  EXPECT_FALSE(read_plan_shape(path_ + "/missing").ok());
}

}  // namespace
}  // namespace seraph
