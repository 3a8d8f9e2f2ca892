// Low-rank deltas of a linear for rows of several adapters at once.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// The adapters' slots as they lie in device memory, in the dtype of x: for each slot and each part of the linear
/// A [rank_max][cols], and B [part_rows][rank_max]; ranks below rank_max are filled up with zeros, and so are parts
/// that an adapter leaves alone. Slots are `slot_elements` apart. The scale is folded into `scales` [slots][parts].
struct LoraSlots {
  const void* a = nullptr;  // [slots][parts][rank_max][cols]
  const void* b = nullptr;  // [slots][rows of all parts][rank_max]
  const float* scales = nullptr;
  int32_t num_slots = 0;
  int32_t num_parts = 0;
  int32_t rank_max = 0;  // a multiple of 8
  int64_t cols = 0;      // a multiple of 8
  int64_t rows = 0;      // of all parts
};

/// inner[t][part][r] = scale * A[slot of t][part][r] . x[t]
/// x [T, cols] f16 or bf16, rows on 16 bytes; row_slots [T] int32, device, -1: no adapter, its inner is not written.
/// A warp sums one r of up to 8 neighbouring rows and reads A once for those of the same adapter; a row's sum has one
/// order whatever its neighbours are. Asynchronous, allocates nothing, safe in graph capture.
/// Errors: kErrorInvalidValue for another dtype or alignment.
/// Source: Chen et al. 2023 (Punica), arXiv:2310.18547; Sheng et al. 2023 (S-LoRA), arXiv:2311.03285.
struct LoraShrinkLaunch {
  Tensor x;
  LoraSlots slots;
  const int32_t* row_slots = nullptr;
  float* inner = nullptr;  // [T][parts][rank_max]
};
Status lora_shrink(const LoraShrinkLaunch& args, Stream stream);

/// out[t][n] += sum over r of B[slot of t][n][r] * inner[t][part of n][r], r ascending, in f32, rounded once to out's
/// dtype (f32, f16 or bf16). Rows without an adapter are not touched. part_ends [parts] int64, device: where each
/// part's outputs end. As above otherwise.
struct LoraExpandLaunch {
  const float* inner = nullptr;
  LoraSlots slots;
  DType dtype = DType::kBf16;  // of the slots
  const int64_t* part_ends = nullptr;
  const int32_t* row_slots = nullptr;
  Tensor out;  // [T, rows of all parts]
};
Status lora_expand(const LoraExpandLaunch& args, Stream stream);

}  // namespace seraph::cuda
