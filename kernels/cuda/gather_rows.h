// Rows picked by a list of numbers: the embedding of token ids, and the rows that need logits.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// out[i] = x[rows[i]], converted where the dtypes differ.
/// x     [R, H] f32, f16 or bf16
/// rows  [out.rows] int32, device; 0 <= rows[i] < R
/// out   [T, H] any of the three dtypes; does not overlap x
/// Asynchronous on the stream, allocates nothing. Errors: kErrorInvalidValue for another dtype or width.
struct GatherRowsLaunch {
  Tensor x;
  const int32_t* rows = nullptr;
  Tensor out;
};
Status gather_rows(const GatherRowsLaunch& args, Stream stream);

}  // namespace seraph::cuda
