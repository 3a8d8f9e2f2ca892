#include "tests/engine/model/config_text.h"

namespace seraph {
namespace {

TEST(Mistral, MistralHasAWindowInEveryLayerUnlessItIsNull) {
  const std::string kv = R"(,"num_key_value_heads":2)";
  EXPECT_EQ(read_as("MistralForCausalLM", kv + R"(,"sliding_window":32)")->window, std::vector<int32_t>(4, 32));
  EXPECT_EQ(read_as("MistralForCausalLM", kv + R"(,"sliding_window":null)")->window, std::vector<int32_t>(4, 0));
  EXPECT_EQ(read_as("MistralForCausalLM", kv)->window, std::vector<int32_t>(4, 4096));
  EXPECT_EQ(read_as("MistralForCausalLM", kv + R"(,"head_dim":80)")->head_dim, 80);
}

}  // namespace
}  // namespace seraph
