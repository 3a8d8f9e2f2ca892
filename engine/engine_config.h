// Every choice that EngineOptions leaves open, made from facts of the checkpoint. Pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/result.h"
#include "engine/engine.h"
#include "kernels/backend.h"

namespace seraph {

/// --dtype: auto means the checkpoint's. kInvalidArgument names the values that exist.
Result<DType> choose_dtype(const EngineOptions& options, DType stored);
/// --kv-cache-dtype: the type of keys and values, or nothing when the device chooses it.
Result<std::optional<DType>> choose_kv_dtype(const EngineOptions& options);
const char* dtype_name(DType dtype);

/// The context length. `max_positions` is the checkpoint's and already counts rope scaling. An explicit value may
/// exceed it only when the rope is scaled (`rope_scaled`): such a rotation is made to be stretched, and whoever asks
/// knows.
Result<int32_t> choose_max_model_len(const EngineOptions& options, int32_t max_positions, bool rope_scaled);

struct StepLimits {
  int32_t max_num_seqs = 0;
  int32_t max_num_batched_tokens = 0;
  int32_t prompt_logit_rows_max = 0;  // rows a step may add to the draws for prompt logprobs
};
/// Sequences and tokens of one step. kInvalidArgument when the budget cannot hold one token of every sequence.
Result<StepLimits> choose_step_limits(const EngineOptions& options, int32_t vocab_size);

}  // namespace seraph
