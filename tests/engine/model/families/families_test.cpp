#include "tests/engine/model/config_text.h"

namespace seraph {
namespace {

TEST(Families, AnUnknownArchitectureIsRefusedWithTheOnesThatExist) {
  for (const char* name : {"MixtralForCausalLM", "Qwen2MoeForCausalLM", "Gemma2ForCausalLM", "BertModel"}) {
    const auto spec = read_as(name, "");
    ASSERT_FALSE(spec.ok());
    EXPECT_EQ(spec.error().code, ErrorCode::kUnsupported);
    for (const char* word : {name, "LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"}) {
      EXPECT_NE(spec.error().message.find(word), std::string::npos) << spec.error().text();
    }
  }
  EXPECT_TRUE(read(kLlama + R"(,"architectures":null)").ok()) << "model_type alone serves";
  EXPECT_FALSE(read(R"("hidden_size":4)").ok());
}

TEST(Families, ATrunkOrAClassifierIsTheGeneratingClassWithoutItsHead) {
  for (const char* name : {"LlamaModel", "LlamaForSequenceClassification"}) {
    const auto spec = read_as(name, "");
    ASSERT_TRUE(spec.ok()) << spec.error().text();
    EXPECT_EQ(spec->family, "llama");
  }
}

}  // namespace
}  // namespace seraph
