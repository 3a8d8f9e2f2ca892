#include "engine/checkpoint/peft_config.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

Result<PeftConfig> read(const std::string& members) {
  const Json json = Json::parse("{\"peft_type\":\"LORA\",\"r\":8,\"lora_alpha\":16" + members + "}").value();
  return read_peft_config(json, "adapter_config.json");
}

TEST(PeftConfig, ScalesByAlphaOverTheRankOrItsRoot) {
  EXPECT_FLOAT_EQ(read("").value().scale_of("a.q_proj"), 2.0F);
  EXPECT_FLOAT_EQ(read(",\"use_rslora\":true,\"r\":16").value().scale_of("a.q_proj"), 4.0F);
  EXPECT_FLOAT_EQ(read(",\"use_rslora\":true,\"rank_pattern\":{\"q_proj\":64}").value().scale_of("a.q_proj"), 2.0F);
}

TEST(PeftConfig, TheFirstPatternThatFitsTheEndOfANameWins) {
  const PeftConfig config = read(
                                ",\"rank_pattern\":{\"^model.v_proj\":1,\"layers.1.q_proj\":2,\"q_proj\":3},"
                                "\"alpha_pattern\":{\"o_proj\":5}")
                                .value();
  EXPECT_EQ(config.rank_of("model.layers.1.q_proj"), 2);
  EXPECT_EQ(config.rank_of("model.layers.11.q_proj"), 3);
  EXPECT_EQ(config.rank_of("model.layers.1.xq_proj"), 8);
  EXPECT_EQ(config.rank_of("model.layers.1.q_proj.x"), 8);
  EXPECT_EQ(config.rank_of("model.v_proj"), 1);
  EXPECT_EQ(config.rank_of("x.model.v_proj"), 8);
  EXPECT_FLOAT_EQ(config.scale_of("model.o_proj"), 5.0F / 8);
}

TEST(PeftConfig, WhatChangesTheArithmeticIsRefusedByName) {
  for (const char* member :
       {"\"use_dora\":true", "\"bias\":\"all\"", "\"lora_bias\":true", "\"modules_to_save\":[\"lm_head\"]",
        "\"trainable_token_indices\":[1]", "\"target_parameters\":[\"w\"]", "\"alora_invocation_tokens\":[1,2]",
        "\"layer_replication\":[[0,1]]", "\"fan_in_fan_out\":true", "\"init_lora_weights\":\"pissa\"",
        "\"use_qalora\":true", "\"peft_type\":\"IA3\"", "\"peft_type\":null"}) {
    const auto config = read(std::string(",") + member);
    ASSERT_FALSE(config.ok()) << member;
    EXPECT_EQ(config.error().code, ErrorCode::kUnsupported) << member;
    const std::string key(member + 1, std::string(member).find('"', 1) - 1);
    EXPECT_NE(config.error().text().find(key), std::string::npos) << config.error().text();
  }
}

TEST(PeftConfig, WhatAsksForNothingPasses) {
  EXPECT_TRUE(read(",\"use_dora\":false,\"bias\":\"none\",\"modules_to_save\":null,\"target_parameters\":[],"
                   "\"megatron_config\":{},\"init_lora_weights\":\"gaussian\",\"unheard_of\":7")
                  .ok());
}

TEST(PeftConfig, WrongNumbersAreErrors) {
  for (const char* member : {"\"r\":0", "\"r\":-2", "\"r\":\"8\"", "\"r\":1.5", "\"lora_alpha\":[1]",
                             "\"lora_alpha\":null", "\"rank_pattern\":{\"a\":0}", "\"rank_pattern\":[1]",
                             "\"alpha_pattern\":{\"a\":\"x\"}", "\"rank_pattern\":{\"(\":4}"}) {
    const auto config = read(std::string(",") + member);
    ASSERT_FALSE(config.ok()) << member;
    EXPECT_EQ(config.error().code, ErrorCode::kCorrupt) << member;
  }
}

TEST(PeftConfig, APatternThatNeverEndsDoesNotFit) {
  const PeftConfig config = read(",\"rank_pattern\":{\"(a+)+b\":4}").value();
  EXPECT_EQ(config.rank_of(std::string(60, 'a')), 8);
}

}  // namespace
}  // namespace seraph
