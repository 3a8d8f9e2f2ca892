// RMSNorm on a GPU, with the residual add in front of it if asked.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// x       [T, n * group] f32, f16 or bf16; each group of `group` columns is normed on its own
/// addend  [T, n * group] of x's dtype, or no data: x += addend first, rounded to x's dtype, and stored in x
/// weight  [group] f32, device
/// out     [T, n * group] any of the three dtypes; may be x itself when there is no addend
/// Asynchronous on the stream, allocates nothing. Sums of squares in f32, in an order fixed by the column alone.
/// Errors: kErrorInvalidValue for another dtype or for columns that are no whole groups.
struct RmsNormLaunch {
  Tensor x;
  Tensor addend = {};
  const float* weight = nullptr;
  int64_t group = 0;
  float eps = 1e-6F;
  Tensor out;
};
Status rms_norm(const RmsNormLaunch& args, Stream stream);

}  // namespace seraph::cuda
