#include "engine/kv_plan.h"

#include <algorithm>
#include <string>

namespace seraph {
namespace {

constexpr int64_t kBlocksMax = 1 << 26;  // slots stay below 2^31 with blocks of up to 32 tokens

std::string mib(int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

Result<KvPlan> plan_kv(const KvPlanInput& input) {
  const int64_t blocks_per_seq = (int64_t{input.max_model_len} + input.block_tokens - 1) / input.block_tokens;
  const int64_t useful = blocks_per_seq * input.max_num_seqs;
  int64_t blocks = 0;
  std::string source;
  if (input.num_blocks_override > 0) {
    blocks = input.num_blocks_override;
    source = "the given number of KV blocks";
  } else if (input.kv_cache_bytes > 0) {
    blocks = input.kv_cache_bytes / input.block_bytes;
    source = "the given KV cache of " + mib(input.kv_cache_bytes);
  } else {
    blocks = std::min(useful, input.memory_budget_bytes / input.block_bytes);
    source = "a KV cache of " + mib(input.memory_budget_bytes) + " (what " + mib(input.memory_free_bytes) +
             " of free memory leave for it)";
  }
  blocks = std::min(blocks, std::min<int64_t>(kBlocksMax, INT32_MAX / input.block_tokens));
  if (blocks < blocks_per_seq) {
    const int64_t fits = blocks * input.block_tokens;
    return Error{ErrorCode::kOutOfMemory,
                 "one sequence of max_model_len " + std::to_string(input.max_model_len) + " needs " +
                     std::to_string(blocks_per_seq) + " KV blocks (" + mib(blocks_per_seq * input.block_bytes) + "), " +
                     source + " holds " + std::to_string(blocks),
                 fits >= 2 ? "lower --max-model-len to " + std::to_string(fits) + " or raise --kv-cache-memory"
                           : "raise --kv-cache-memory or use a smaller checkpoint",
                 "max_model_len"};
  }
  const int64_t bytes = blocks * input.block_bytes;
  if (bytes > input.memory_free_bytes) {
    return Error{ErrorCode::kOutOfMemory,
                 "the KV cache of " + mib(bytes) + " does not fit the free memory of " + mib(input.memory_free_bytes),
                 "lower --kv-cache-memory", "kv_cache_memory"};
  }
  return KvPlan{.num_blocks = static_cast<int32_t>(blocks), .kv_bytes = bytes};
}

}  // namespace seraph
