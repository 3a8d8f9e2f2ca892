#include "engine/engine_config.h"

#include <algorithm>
#include <string>

namespace seraph {
namespace {

// CPU defaults. More sequences than this share the cores without gain, and a prefill chunk of 512 rows reads each
// weight once for 512 tokens, where the arithmetic and no longer the memory is the limit.
constexpr int32_t kMaxNumSeqs = 64;
constexpr int32_t kMaxNumBatchedTokens = 512;

constexpr int32_t kStretchedPositionsMax = 1 << 24;  // what nobody means to ask for

// Logits of prompt rows are [rows, vocabulary] in float32: bounded by memory for large vocabularies.
constexpr int64_t kPromptLogitsBytesMax = 32 << 20;
constexpr int64_t kPromptLogitRowsMin = 8;
constexpr int64_t kPromptLogitRowsMax = 64;

Error negative(const char* option, int64_t value) {
  return Error{ErrorCode::kInvalidArgument, std::string(option) + " is " + std::to_string(value),
               "give a positive number", option};
}

}  // namespace

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return "float16";
    case DType::kBf16:
      return "bfloat16";
    case DType::kF8E4m3:
      return "fp8_e4m3";
    default:
      return "float32";
  }
}

Result<DType> choose_dtype(const EngineOptions& options, DType stored) {
  if (options.dtype == "auto") return stored;
  for (const DType dtype : {DType::kF32, DType::kBf16, DType::kF16}) {
    if (options.dtype == dtype_name(dtype)) return dtype;
  }
  if (options.dtype == "half") return DType::kF16;
  if (options.dtype == "float") return DType::kF32;
  return Error{ErrorCode::kInvalidArgument, "dtype \"" + options.dtype + "\" does not exist",
               "use auto, float32, bfloat16 or float16", "dtype"};
}

Result<std::optional<DType>> choose_kv_dtype(const EngineOptions& options) {
  if (options.kv_cache_dtype == "auto") return std::optional<DType>();
  if (options.kv_cache_dtype == "fp8" || options.kv_cache_dtype == "fp8_e4m3") return std::optional(DType::kF8E4m3);
  return Error{ErrorCode::kInvalidArgument, "kv_cache_dtype \"" + options.kv_cache_dtype + "\" is not offered",
               "use auto, fp8 or fp8_e4m3", "kv_cache_dtype"};
}

Result<int32_t> choose_max_model_len(const EngineOptions& options, int32_t max_positions, bool rope_scaled) {
  if (options.max_model_len < 0) return negative("max_model_len", options.max_model_len);
  if (options.max_model_len > max_positions && !(rope_scaled && options.max_model_len <= kStretchedPositionsMax)) {
    return Error{ErrorCode::kInvalidArgument,
                 "max_model_len " + std::to_string(options.max_model_len) + " is more than the checkpoint's " +
                     std::to_string(max_positions) + " positions (max_position_embeddings with its rope scaling)",
                 "lower --max-model-len to " + std::to_string(max_positions), "max_model_len"};
  }
  int32_t chosen = options.max_model_len;
  if (chosen == 0) {
    chosen = options.max_model_len_cap > 0 ? std::min(max_positions, options.max_model_len_cap) : max_positions;
  }
  if (chosen < 2) {
    return Error{ErrorCode::kInvalidArgument, "max_model_len " + std::to_string(chosen) + " holds no prompt and answer",
                 "raise --max-model-len to 2 or more", "max_model_len"};
  }
  return chosen;
}

Result<StepLimits> choose_step_limits(const EngineOptions& options, int32_t vocab_size) {
  if (options.max_num_seqs < 0) return negative("max_num_seqs", options.max_num_seqs);
  if (options.max_num_batched_tokens < 0) return negative("max_num_batched_tokens", options.max_num_batched_tokens);
  StepLimits limits;
  limits.max_num_seqs = options.max_num_seqs;
  limits.max_num_batched_tokens = options.max_num_batched_tokens;
  if (limits.max_num_seqs == 0) {
    const bool given = limits.max_num_batched_tokens > 0;
    limits.max_num_seqs = given ? std::min(kMaxNumSeqs, limits.max_num_batched_tokens) : kMaxNumSeqs;
  }
  if (limits.max_num_batched_tokens == 0) {
    limits.max_num_batched_tokens = std::max(kMaxNumBatchedTokens, limits.max_num_seqs);
  }
  if (limits.max_num_batched_tokens < limits.max_num_seqs) {
    return Error{ErrorCode::kInvalidArgument,
                 "max_num_batched_tokens " + std::to_string(limits.max_num_batched_tokens) +
                     " is less than max_num_seqs " + std::to_string(limits.max_num_seqs) +
                     ": a step could not give every sequence a token",
                 "raise --max-num-batched-tokens or lower --max-num-seqs", "max_num_batched_tokens"};
  }
  const int64_t rows = kPromptLogitsBytesMax / (int64_t{std::max(vocab_size, 1)} * 4);
  limits.prompt_logit_rows_max = static_cast<int32_t>(std::clamp(rows, kPromptLogitRowsMin, kPromptLogitRowsMax));
  return limits;
}

}  // namespace seraph
