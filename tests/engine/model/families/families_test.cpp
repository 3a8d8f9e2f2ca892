#include "tests/engine/model/config_text.h"

namespace seraph {
namespace {

TEST(Families, AnUnknownArchitectureIsRefusedWithTheOnesThatExist) {
  for (const char* name : {"MixtralForCausalLM", "Qwen2MoeForCausalLM", "Gemma2ForCausalLM", "Qwen2Model"}) {
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

}  // namespace
}  // namespace seraph
