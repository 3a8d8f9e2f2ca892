// The memory arithmetic behind `seraph plan`: what weights and KV cache need and on how many cards of a size they fit.
// Pure functions; GiB throughout. Source of the formulas: section "Resource arithmetic" of the README.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"

namespace seraph {

struct PlanShape {
  double parameters_b = 0;  // billions
  double bytes_per_weight = 2;
  double weights_gib = 0;  // what the files of a folder state; 0: parameters_b * bytes_per_weight
  int64_t hidden_size = 0;
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;  // 0: hidden_size / num_heads
  int64_t context_tokens = 0;
  double kv_bytes = 2;  // per element
  double memory_utilization = 0.9;
};

struct MemoryPlan {
  double weights_gib = 0;
  double kv_bytes_per_token = 0;
  double kv_gib = 0;      // of one sequence of context_tokens
  double needed_gib = 0;  // (weights + KV) / utilization
};

/// Errors name the number that is missing or makes no sense.
Result<MemoryPlan> plan_memory(const PlanShape& shape);

/// The smallest number of cards of that size whose memory suffices and that divides the heads; 0: none does.
int64_t plan_cards(const PlanShape& shape, const MemoryPlan& plan, double card_gib);

/// The shape of a model folder: config.json, and the sizes that the safetensors headers state.
Result<PlanShape> read_plan_shape(const std::string& model_dir);

}  // namespace seraph
