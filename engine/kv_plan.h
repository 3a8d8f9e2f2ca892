// How much memory the KV cache gets and what that means in blocks. Pure: numbers in, plan out.
#pragma once

#include <cstdint>

#include "engine/base/result.h"

namespace seraph {

struct KvPlanInput {
  int64_t block_bytes = 0;  // all layers, keys and values
  int32_t block_tokens = 16;
  int32_t max_model_len = 0;
  int32_t max_num_seqs = 0;
  int64_t kv_cache_bytes = 0;       // option; 0: choose
  int32_t num_blocks_override = 0;  // option; > 0: exactly so many
  int64_t memory_free_bytes = 0;    // after the weights are loaded
  int64_t memory_budget_bytes = 0;  // what may be chosen of it
};

struct KvPlan {
  int32_t num_blocks = 0;
  int64_t kv_bytes = 0;
};

/// Chosen size: what max_num_seqs sequences of full length could use, at most the budget, at least one sequence of
/// full length. kOutOfMemory when one full-length sequence does not fit; the remedy names a
/// max_model_len that would.
Result<KvPlan> plan_kv(const KvPlanInput& input);

}  // namespace seraph
