#include "engine/engine_config.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(EngineConfig, DtypeAutoIsTheCheckpoints) {
  EngineOptions options;
  EXPECT_EQ(*choose_dtype(options, DType::kBf16), DType::kBf16);
  EXPECT_EQ(*choose_dtype(options, DType::kF32), DType::kF32);
  options.dtype = "float16";
  EXPECT_EQ(*choose_dtype(options, DType::kF32), DType::kF16);
  options.dtype = "half";
  EXPECT_EQ(*choose_dtype(options, DType::kF32), DType::kF16);
  options.dtype = "int4";
  EXPECT_EQ(choose_dtype(options, DType::kF32).error().param, "dtype");
}

TEST(EngineConfig, KeysAndValuesAreOfTheDevicesTypeUnlessGiven) {
  EngineOptions options;
  EXPECT_FALSE(choose_kv_dtype(options)->has_value());
  for (const char* name : {"fp8", "fp8_e4m3"}) {
    options.kv_cache_dtype = name;
    EXPECT_EQ(*choose_kv_dtype(options), DType::kF8E4m3);
  }
  options.kv_cache_dtype = "fp8_e5m2";
  EXPECT_EQ(choose_kv_dtype(options).error().param, "kv_cache_dtype");
}

TEST(EngineConfig, TheContextIsTheCheckpointsUnlessGivenOrCapped) {
  EngineOptions options;
  EXPECT_EQ(*choose_max_model_len(options, 32768, false), 32768);
  options.max_model_len_cap = 8192;
  EXPECT_EQ(*choose_max_model_len(options, 32768, false), 8192);
  EXPECT_EQ(*choose_max_model_len(options, 2048, false), 2048);
  options.max_model_len = 20000;
  EXPECT_EQ(*choose_max_model_len(options, 32768, false), 20000);
  const Result<int32_t> too_long = choose_max_model_len(options, 2048, false);
  ASSERT_FALSE(too_long.ok());
  EXPECT_NE(too_long.error().text().find("20000"), std::string::npos);
  EXPECT_NE(too_long.error().remedy.find("2048"), std::string::npos);
  EXPECT_EQ(*choose_max_model_len(options, 2048, true), 20000);
  options.max_model_len = -5;
  EXPECT_FALSE(choose_max_model_len(options, 2048, false).ok());
  options.max_model_len = 1;
  EXPECT_FALSE(choose_max_model_len(options, 2048, false).ok());
}

TEST(EngineConfig, AStepHasATokenForEverySequence) {
  const auto limits = [](int32_t seqs, int32_t tokens) {
    EngineOptions options;
    options.max_num_seqs = seqs;
    options.max_num_batched_tokens = tokens;
    return choose_step_limits(options, 512);
  };
  EXPECT_EQ(limits(0, 0)->max_num_seqs, 64);
  EXPECT_EQ(limits(0, 0)->max_num_batched_tokens, 512);
  EXPECT_EQ(limits(1000, 0)->max_num_batched_tokens, 1000);
  EXPECT_EQ(limits(0, 16)->max_num_seqs, 16);
  EXPECT_EQ(limits(8, 16)->max_num_batched_tokens, 16);
  EXPECT_EQ(limits(32, 16).error().param, "max_num_batched_tokens");
  EXPECT_FALSE(limits(-1, 0).ok());
  EXPECT_FALSE(limits(0, -1).ok());
}

TEST(EngineConfig, PromptLogitRowsShrinkWithTheVocabulary) {
  const EngineOptions options;
  EXPECT_EQ(choose_step_limits(options, 512)->prompt_logit_rows_max, 64);
  EXPECT_EQ(choose_step_limits(options, 151936)->prompt_logit_rows_max, 55);
  EXPECT_EQ(choose_step_limits(options, 10'000'000)->prompt_logit_rows_max, 8);
}

}  // namespace
}  // namespace seraph
