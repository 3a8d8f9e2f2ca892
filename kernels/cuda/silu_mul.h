// The gate of a gated MLP, for weights whose matrix product does not fuse it.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// out = gate / (1 + exp(-gate)) * up, in f32, rounded once.
/// gate, up  [T, N] one of f32, f16, bf16, both the same
/// out       [T, N] any of the three dtypes; may be gate or up where the dtype is the same
/// Asynchronous on the stream, allocates nothing. Errors: kErrorInvalidValue for another dtype or shape.
struct SiluMulLaunch {
  Tensor gate;
  Tensor up;
  Tensor out;
};
Status silu_mul(const SiluMulLaunch& args, Stream stream);

}  // namespace seraph::cuda
