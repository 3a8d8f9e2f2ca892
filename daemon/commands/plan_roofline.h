// How fast a model can be on a card: time per output token and to the first one, from the bytes and operations that a
// step cannot do without and the card's data sheet. Pure functions. tests/bench/cuda_cost counts that our kernels move
// no more than kBytesRatio of those bytes; the shares below are assumptions until a card has measured them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daemon/commands/plan.h"

namespace seraph {

/// From public data sheets: memory bandwidth, and dense 16-bit tensor operations with 32-bit sums.
struct GpuSheet {
  const char* name = "";
  double memory_gb = 0;
  double bandwidth_gbs = 0;
  double tflops = 0;
};
std::span<const GpuSheet> gpu_sheets();
/// By name, case and separators ignored ("h100-sxm"). The error lists the names.
Result<GpuSheet> find_gpu_sheet(const std::string& name);

constexpr double kBytesRatio = 1.05;      // what cuda_cost allows a decode step over the fewest bytes
constexpr double kBandwidthShare = 0.88;  // of the sheet's bandwidth that a kernel of large reads gets
constexpr double kFlopsShare = 0.70;      // of the sheet's operations that a prefill gets
constexpr double kKernelUs = 1.3;         // between two kernels of a graph
constexpr double kKernelsPerLayer = 6;
constexpr double kKernelsPerStep = 6;  // embedding, last norm, head, sampling

/// What a model asks of a card in a step.
struct StepWork {
  double memory_bytes = 0;             // of weights
  double weight_bytes = 0;             // of them, read once in a step, however many rows
  double linear_flops_per_row = 0;     // of all products
  double attention_flops_per_key = 0;  // of a row and a token of its context
  double kv_bytes_per_token = 0;       // read for each token of context
  double kernels = 0;
};
/// Errors name what is missing. REQUIRES: plan_memory accepted the shape.
Result<StepWork> step_work(const PlanShape& shape);

struct Roofline {
  int64_t batch = 0;
  double roof_tpot_ms = 0;  // nothing but the bytes (or operations), at the sheet's speed
  double tpot_ms = 0;       // predicted: with the shares above
  double tokens_per_s = 0;  // predicted, of all sequences together
  double ttft_ms = 0;       // predicted, of one prompt alone
  bool fits = false;        // weights and the contexts in the card's memory
};
Roofline roofline(const StepWork& work, const GpuSheet& gpu, int64_t batch, int64_t context_tokens,
                  int64_t prompt_tokens, double memory_utilization);

struct RooflineQuestion {
  std::vector<GpuSheet> gpus;
  std::vector<int64_t> batches;
  int64_t context_tokens = 0;
  int64_t prompt_tokens = 0;
};
std::string roofline_table(const StepWork& work, const RooflineQuestion& question, double memory_utilization);
Json roofline_json(const StepWork& work, const RooflineQuestion& question, double memory_utilization);

}  // namespace seraph
