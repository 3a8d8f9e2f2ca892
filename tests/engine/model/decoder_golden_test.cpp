#include <cstdio>

#include "tests/engine/model/model_runner.h"

namespace seraph {
namespace {

#define SKIP_WITHOUT_GOLDEN(models)                                                       \
  if (models.empty()) GTEST_SKIP() << "no recorded models; SERAPH_GOLDEN_DIR names them"; \
  std::printf("%zu recorded models\n", models.size())

TEST(DecoderGolden, Float32LogitsAreThoseOfTransformers) {
  const auto models = golden_models();
  SKIP_WITHOUT_GOLDEN(models);
  for (const auto& dir : models) {
    ModelRunner runner(dir, DType::kF32);
    ASSERT_EQ(runner.error(), "") << dir;
    const GoldenTruth truth(dir);
    for (const GoldenPrompt& prompt : truth.prompts) {
      Sequence s = runner.start(prompt.ids);
      const Gap gap = gap_of(runner.prefill(s, 256), truth.rows("logits." + prompt.name), prompt.rows);
      runner.finish(s);
      EXPECT_LE(gap.max, 2e-4) << dir << " " << prompt.name;
    }
  }
}

TEST(DecoderGolden, Float32GreedyTokensAreThoseOfTransformersInAnyChunks) {
  const auto models = golden_models();
  SKIP_WITHOUT_GOLDEN(models);
  for (const auto& dir : models) {
    ModelRunner runner(dir, DType::kF32);
    ASSERT_EQ(runner.error(), "") << dir;
    for (const GoldenPrompt& prompt : GoldenTruth(dir).prompts) {
      for (const int32_t chunk : {256, 13}) {
        EXPECT_EQ(runner.greedy(prompt.ids, static_cast<int32_t>(prompt.greedy.size()), chunk), prompt.greedy)
            << dir << " " << prompt.name << " in chunks of " << chunk;
      }
    }
  }
}

/// transformers' own 16-bit run is `gap` away from its float32 run; ours may be twice that at worst and 1.5
/// times that on average.
void expect_low_precision(DType compute, const char* key) {
  const auto models = golden_models();
  SKIP_WITHOUT_GOLDEN(models);
  for (const auto& dir : models) {
    ModelRunner runner(dir, compute);
    ASSERT_EQ(runner.error(), "") << dir;
    const GoldenTruth truth(dir);
    for (const GoldenPrompt& prompt : truth.prompts) {
      const Json* allowed = truth.json.find("low_precision_gap")->find(key)->find(prompt.name);
      Sequence s = runner.start(prompt.ids);
      const Gap gap = gap_of(runner.prefill(s, 256), truth.rows("logits." + prompt.name), prompt.rows);
      runner.finish(s);
      EXPECT_LE(gap.max, 2.0 * allowed->as_array()[0].as_double()) << dir << " " << prompt.name;
      EXPECT_LE(gap.mean, 1.5 * allowed->as_array()[1].as_double()) << dir << " " << prompt.name;
    }
  }
}

TEST(DecoderGolden, Bfloat16IsAsCloseToFloat32AsTransformersIs) { expect_low_precision(DType::kBf16, "bf16"); }

TEST(DecoderGolden, Float16IsAsCloseToFloat32AsTransformersIs) { expect_low_precision(DType::kF16, "f16"); }

TEST(DecoderGolden, EveryInstructionSetAgreesInFloat32) {
  const auto models = golden_models();
  SKIP_WITHOUT_GOLDEN(models);
  for (const char* isa : {"avx2", "avx512"}) {
    for (const auto& dir : models) {
      ModelRunner runner(dir, DType::kF32, false, isa);
      if (!runner.error().empty()) GTEST_SKIP() << runner.error();
      const GoldenTruth truth(dir);
      for (const GoldenPrompt& prompt : truth.prompts) {
        Sequence s = runner.start(prompt.ids);
        const Gap gap = gap_of(runner.prefill(s, 256), truth.rows("logits." + prompt.name), prompt.rows);
        runner.finish(s);
        EXPECT_LE(gap.max, 2e-4) << isa << " " << dir << " " << prompt.name;
      }
    }
  }
}

}  // namespace
}  // namespace seraph
