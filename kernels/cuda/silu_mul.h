// The gate of a gated MLP, for weights whose matrix product does not fuse it.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// out = gate / (1 + exp(-gate)) * up, in f32, rounded once.
/// product  [T, 2 N] f16 or bf16: gate and up in turns of 8 columns, as gate-and-up weights give them
/// out      [T, N] f16 or bf16; N a multiple of 8
/// Rows begin on 16 bytes. Asynchronous on the stream, allocates nothing, safe in graph capture.
/// Errors: kErrorInvalidValue for another dtype, shape or alignment.
struct SiluMulLaunch {
  Tensor product;
  Tensor out;
};
Status silu_mul(const SiluMulLaunch& args, Stream stream);

}  // namespace seraph::cuda
