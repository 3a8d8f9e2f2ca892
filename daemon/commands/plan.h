// The memory arithmetic behind `seraph plan`: what weights and KV cache need and on how many cards of a size they fit.
// Two ways: the published rule of thumb, and the exact sum of what the server allocates. Pure functions; GiB
// throughout. Source of the formulas: section "Resource arithmetic" of the README.
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
  int64_t hidden_size = 0;
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t context_tokens = 0;
  double kv_bytes = 2;  // per element
  double memory_utilization = 0.9;

  // Only the exact way looks at these.
  double weights_gib = 0;          // what the files of a folder state; 0: parameters_b * bytes_per_weight
  int64_t head_dim = 0;            // 0: hidden_size / num_heads
  double linear_parameters_b = 0;  // of parameters_b, those that quantisation packs; 0: all
  std::string quantization;        // "", fp8, ifq, ifq_nf4: done on loading
  int64_t intermediate_size = 0;
  int64_t vocab_size = 0;
  int64_t block_tokens = 16;      // KV memory is given out in blocks
  int64_t batched_tokens = 2048;  // of one step
  int64_t num_sequences = 256;    // rows of logits of one step
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

struct ExactPlan {
  int64_t cards = 1;
  double weights_gib = 0;  // of all cards together, like the next two
  double kv_gib = 0;       // of one sequence of context_tokens, in whole blocks
  double activations_gib = 0;
  double kv_bytes_per_token = 0;  // of all cards together; heads are repeated when there are more cards than heads
  double needed_gib = 0;          // (weights + KV + activations) / utilization

  /// Tokens of KV cache on cards of that size, all together; below 0 when the weights alone do not fit.
  double kv_tokens(double card_gib, double memory_utilization) const;
};

/// What `cards` cards allocate. REQUIRES: plan_memory accepted the shape; cards >= 1. Errors: an unknown quantisation.
Result<ExactPlan> plan_exact(const PlanShape& shape, int64_t cards);

/// The smallest number of cards of that size that hold the exact plan, divide the heads and split the KV heads evenly
/// (or repeat them); 0: none does.
Result<int64_t> plan_exact_cards(const PlanShape& shape, double card_gib);

struct PlanCard {
  std::string name;
  double memory_gib = 0;
};
/// "24" or the name of a GPU ("L20", case ignored) with the memory that its driver reports. Errors list the names.
Result<PlanCard> parse_plan_card(const std::string& text);

/// The shape of a model folder: config.json, and the sizes that the safetensors headers state.
Result<PlanShape> read_plan_shape(const std::string& model_dir);

}  // namespace seraph
