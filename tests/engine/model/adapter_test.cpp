#include "engine/model/adapter.h"

#include <gtest/gtest.h>

#include "tests/engine/checkpoint/peft_writer.h"

namespace seraph {
namespace {

DecoderSpec spec_of() {
  DecoderSpec spec;
  spec.family = "llama";
  spec.num_layers = 2;
  spec.hidden = 16;
  spec.intermediate = 24;
  spec.num_heads = 4;
  spec.num_kv_heads = 2;
  spec.head_dim = 8;
  spec.vocab_size = 100;
  return spec;
}

Result<std::shared_ptr<const AdapterWeights>> fit(const std::vector<PeftTensor>& tensors) {
  auto folder = PeftFolder::parse("DIR", R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4})", peft_file(tensors),
                                  {.rank_max = 8, .file_bytes_max = 1 << 20});
  if (!folder.ok()) return folder.error();
  return fit_adapter(std::move(*folder), spec_of());
}

TEST(AdapterFit, ModulesGoToTheirPartOfTheFusedLinears) {
  std::vector<PeftTensor> tensors;
  add_lora(tensors, "model.layers.0.self_attn.v_proj", 2, 16, 16);
  add_lora(tensors, "model.layers.1.self_attn.o_proj", 2, 32, 16);
  add_lora(tensors, "model.layers.1.mlp.up_proj", 2, 16, 24);
  add_lora(tensors, "model.layers.1.mlp.down_proj", 2, 24, 16);
  const auto adapter = fit(tensors);
  ASSERT_TRUE(adapter.ok()) << adapter.error().text();
  ASSERT_EQ((*adapter)->layers.size(), 2U);
  const LayerAdapter& first = (*adapter)->layers[0];
  ASSERT_EQ(first.qkv.size(), 3U);
  EXPECT_EQ(first.qkv[0].a.data, nullptr);
  EXPECT_EQ(first.qkv[2].b.rows, 16);
  EXPECT_FLOAT_EQ(first.qkv[2].scale, 2.0F);
  EXPECT_TRUE(first.mlp.down.empty());
  const LayerAdapter& second = (*adapter)->layers[1];
  EXPECT_TRUE(second.qkv.empty());
  ASSERT_EQ(second.attention_output.size(), 1U);
  ASSERT_EQ(second.mlp.gate_up.size(), 2U);
  EXPECT_EQ(second.mlp.gate_up[0].a.data, nullptr);
  EXPECT_NE(second.mlp.gate_up[1].a.data, nullptr);
  EXPECT_EQ(second.mlp.down.size(), 1U);
}

void expect_refused(const std::string& module, int64_t inputs, int64_t outputs, const std::string& word) {
  std::vector<PeftTensor> tensors;
  add_lora(tensors, module, 2, inputs, outputs);
  const auto adapter = fit(tensors);
  ASSERT_FALSE(adapter.ok()) << module;
  EXPECT_NE(adapter.error().text().find(word), std::string::npos) << adapter.error().text();
}

TEST(AdapterFit, WhatTheModelLacksIsRefused) {
  expect_refused("model.layers.2.self_attn.q_proj", 16, 32, "does not have");
  expect_refused("model.layers.0.self_attn.z_proj", 16, 32, "does not have");
  expect_refused("lm_head", 16, 100, "output head");
  expect_refused("model.embed_tokens", 16, 100, "embedding");
  expect_refused("model.layers.0.self_attn.q_proj", 17, 32, "maps 17 inputs");
  expect_refused("model.layers.0.self_attn.k_proj", 16, 32, "to 32 outputs");
}

TEST(AdapterFit, NoFittingFileIsLargerThanTheLimit) {
  const DecoderSpec spec = spec_of();
  std::vector<PeftTensor> tensors;
  for (int i = 0; i < 2; ++i) {
    const std::string at = "model.layers." + std::to_string(i);
    add_lora(tensors, at + ".self_attn.q_proj", 2, 16, 32);
    add_lora(tensors, at + ".mlp.gate_proj", 2, 16, 24);
  }
  EXPECT_GT(adapter_file_bytes_max(spec, 2), static_cast<int64_t>(peft_file(tensors).size()));
  EXPECT_GT(adapter_file_bytes_max(spec, 4), adapter_file_bytes_max(spec, 2));
}

}  // namespace
}  // namespace seraph
