#include "daemon/commands/plan_roofline.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

/// Qwen2-7B in bfloat16.
PlanShape qwen2_7b() {
  return PlanShape{.parameters_b = 7.6156,
                   .hidden_size = 3584,
                   .num_layers = 28,
                   .num_heads = 28,
                   .num_kv_heads = 4,
                   .context_tokens = 32768,
                   .weights_gib = 7.6156e9 * 2 / 1073741824.0,
                   .head_dim = 128,
                   .intermediate_size = 18944,
                   .vocab_size = 152064};
}

TEST(Roofline, AStepReadsTheBodyAndTheHeadButNotTheTableOfEmbeddings) {
  const Result<StepWork> work = step_work(qwen2_7b());
  ASSERT_TRUE(work.ok());
  EXPECT_NEAR(work->weight_bytes, 14.141e9, 0.01e9);
  EXPECT_EQ(work->kv_bytes_per_token, 57344);
  EXPECT_NEAR(work->linear_flops_per_row, 14.14e9, 0.02e9);
}

TEST(Roofline, OnAnL20TheRoofIsBytesOverBandwidth) {
  const StepWork work = *step_work(qwen2_7b());
  const GpuSheet l20 = *find_gpu_sheet("l20");
  const Roofline one = roofline(work, l20, 1, 512, 217, 0.9);
  EXPECT_NEAR(one.roof_tpot_ms, 16.40, 0.02);
  EXPECT_NEAR(roofline(work, l20, 10, 600, 217, 0.9).roof_tpot_ms, 16.76, 0.02);
  EXPECT_GT(one.tpot_ms, one.roof_tpot_ms * kBytesRatio);
  EXPECT_NEAR(one.tokens_per_s, 1000 / one.tpot_ms, 1e-9);
  // 217 tokens are more operations than the weights take to read.
  EXPECT_NEAR(one.ttft_ms, 25.8 / kFlopsShare + work.kernels * kKernelUs * 1e-3, 0.5);
}

TEST(Roofline, ManyRowsAreLimitedByOperations) {
  const StepWork work = *step_work(qwen2_7b());
  const GpuSheet h20 = *find_gpu_sheet("H20");
  const Roofline many = roofline(work, h20, 256, 128, 128, 0.9);
  EXPECT_GT(many.roof_tpot_ms, 256 * work.linear_flops_per_row / (h20.tflops * 1e9));
}

TEST(Roofline, WhatDoesNotFitIsSaid) {
  const StepWork work = *step_work(qwen2_7b());
  EXPECT_FALSE(roofline(work, *find_gpu_sheet("T4"), 1, 512, 512, 0.9).fits);
  EXPECT_FALSE(roofline(work, *find_gpu_sheet("L4"), 64, 32768, 512, 0.9).fits);
  RooflineQuestion question{.gpus = {*find_gpu_sheet("T4"), *find_gpu_sheet("H200")},
                            .batches = {1, 16},
                            .context_tokens = 1024,
                            .prompt_tokens = 512};
  EXPECT_NE(roofline_table(work, question, 0.9).find("does not fit"), std::string::npos);
  const Json json = roofline_json(work, question, 0.9);
  ASSERT_EQ(json.find("rows")->as_array().size(), 4U);
  EXPECT_EQ(json.find("rows")->as_array()[0].find("gpu")->as_string(), "T4");
  EXPECT_FALSE(json.find("measured")->as_bool());
}

TEST(Roofline, GpusHaveNamesInAnySpelling) {
  EXPECT_STREQ(find_gpu_sheet("h100 sxm")->name, "H100-SXM");
  EXPECT_STREQ(find_gpu_sheet("RTX4090")->name, "RTX-4090");
  EXPECT_STREQ(find_gpu_sheet("A100")->name, "A100-SXM-80GB");
  EXPECT_FALSE(find_gpu_sheet("").ok());
  const Result<GpuSheet> unknown = find_gpu_sheet("Voodoo2");
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.error().remedy.find("L40S"), std::string::npos);
}

TEST(Roofline, AShapeWithoutItsWidthsIsRefused) {
  PlanShape shape = qwen2_7b();
  shape.intermediate_size = 0;
  EXPECT_FALSE(step_work(shape).ok());
}

}  // namespace
}  // namespace seraph
