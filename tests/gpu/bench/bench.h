// What the kit's bench measures. Each part prints a table in Markdown. Errors: one sentence.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/cuda_cost/cost_cases.h"
#include "tests/gpu/card.h"

namespace seraph::gpu {

struct BenchPlan {
  std::vector<cost::LayerShape> models;
  std::vector<int32_t> batches;
  int32_t context_tokens = 0;  // of prompts of decode steps
  int32_t output_tokens = 0;
  int32_t prefill_tokens = 0;
  int64_t copy_bytes = 0;
  int64_t product_rows = 0;  // of the product that measures the peak: rows x 2 rows x 2 rows
  double kernel_ms = 0;      // to repeat a kernel for
};
BenchPlan full_plan();
/// Runs in seconds on the simulated device, whose figures mean nothing: it shows that the program works.
BenchPlan tiny_plan();

struct Roofs {
  double copy_gbs = 0;        // read and written, by cudaMemcpyAsync within the card
  double product_tflops = 0;  // of the backend's largest product
};
/// Prints both.
std::string measure_roofs(const BenchPlan& plan, Roofs& roofs);

/// Times each kernel of a layer of a decode step.
std::string bench_kernels(const BenchPlan& plan, const Card& card, const Roofs& roofs);

/// Whole engines with random weights: start-up, prefill, decode steps, the host's gap.
std::string bench_engines(const BenchPlan& plan, const Roofs& roofs);

}  // namespace seraph::gpu
