// From rows of logits to tokens on a GPU, without sorting the vocabulary.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// A SampleRow as the device reads it; ranges are positions in the arrays of SampleLaunch.
struct alignas(16) DeviceSampleRow {
  int32_t logit_row = 0;
  float temperature = 0.0F;
  int32_t top_k = 0;
  float top_p = 1.0F;
  float min_p = 0.0F;
  float repetition_penalty = 1.0F;
  float frequency_penalty = 0.0F;
  float presence_penalty = 0.0F;
  uint32_t seed_low = 0;
  uint32_t seed_high = 0;
  uint32_t position = 0;
  uint32_t choice = 0;
  int32_t given_token = -1;
  int32_t num_logprobs = -1;  // at most kLogprobsMax
  int32_t counts_begin = 0;
  int32_t counts_end = 0;
  int32_t bias_begin = 0;
  int32_t bias_end = 0;
  int32_t banned_begin = 0;
  int32_t banned_end = 0;
  int32_t allowed_begin = -1;     // first word of the row's bit set, -1: all ids are allowed
  int32_t logprob_ids_begin = 0;  // in `banned`, behind the row's bans; no range: the best are reported
  int32_t logprob_ids_end = 0;
  int32_t unused[1] = {};
};
static_assert(sizeof(DeviceSampleRow) == 96);

/// An id that a sequence has seen: `in_output` 0 means in the prompt only.
struct DeviceTokenCount {
  int32_t id = 0;
  int32_t in_output = 0;
};
struct DeviceTokenBias {
  int32_t id = 0;
  float bias = 0.0F;
};

constexpr int32_t kLogprobsMax = 1024;

/// What Backend::sample() does, with everything in device memory. A block of threads per row: edits in place (undone
/// where logprobs are asked), a histogram of distances below the largest logit with exact integer sums, the few ids
/// of the boundary step ordered, one pass for the draw. Four to six reads of the row, mostly from L2; a row never
/// depends on its mates or on the order of threads.
/// logits        [L, V] f32; V up to 2^19
/// rows          [num_rows]; at most one row per logit row, ids of a row's counts, of its bias, of its bans distinct
/// saved         [num_counts + num_bias + num_banned] f32, scratch
/// tokens        [num_rows] out; -1 when every id is masked
/// logprob_*     [num_rows, logprobs_stride] out: the chosen id, then the best in order, the chosen not repeated, or
///               the ids that the row names
/// num_logprobs  [num_rows] out: entries that were written
/// Asynchronous on the stream, allocates nothing, safe in graph capture.
/// Errors: kErrorInvalidValue for other dtypes and sizes.
struct SampleLaunch {
  Tensor logits;
  int32_t vocab_size = 0;
  const DeviceSampleRow* rows = nullptr;
  int32_t num_rows = 0;
  const DeviceTokenCount* counts = nullptr;
  int64_t num_counts = 0;
  const DeviceTokenBias* bias = nullptr;
  int64_t num_bias = 0;
  const int32_t* banned = nullptr;
  int64_t num_banned = 0;
  const uint32_t* allowed = nullptr;
  int64_t num_allowed_words = 0;
  float* saved = nullptr;
  int32_t* tokens = nullptr;
  int32_t* logprob_ids = nullptr;
  float* logprobs = nullptr;
  int32_t* logprob_ranks = nullptr;
  int32_t* num_logprobs = nullptr;
  int32_t logprobs_stride = 0;
};
Status sample(const SampleLaunch& args, Stream stream);

}  // namespace seraph::cuda
