// Matrix products with few rows (up to 64), where the time is that of reading the weights once.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// A weight matrix in device memory: [rows][stride] of f16 or bf16, stride a multiple of 64, what lies behind `cols`
/// zero, `rows` a multiple of 16 (rows behind the model's are zero). Gate and up are interleaved by 8 rows: 8 of gate,
/// the same 8 of up. So it is also a plain row-major matrix, for the libraries that multiply more rows.
struct LinearWeight {
  void* data = nullptr;
  DType dtype = DType::kF16;
  int64_t rows = 0;  // padded
  int64_t cols = 0;
  int64_t stride = 0;
};
/// The padded shape of a matrix of `rows` x `cols`; data stays null.
LinearWeight plan_linear_weight(int64_t rows, int64_t cols, DType dtype);
int64_t linear_weight_bytes(const LinearWeight& weight);

/// Converts rows of a checkpoint to a weight's layout, at load time, part by part.
/// source  [rows, cols] f32, f16 or bf16, contiguous, device
/// Row r goes to row first_row + r, or, interleaved, to row (r / 8) * 16 + first_row + r % 8: first_row 0 for gate,
/// 8 for up, and their rows are a multiple of 8. The padding columns of the rows are zeroed.
/// Asynchronous on the stream. Errors: kErrorInvalidValue for another dtype or rows outside of the weight.
struct PackLinearLaunch {
  const void* source = nullptr;
  DType dtype = DType::kF32;
  int64_t rows = 0;
  LinearWeight weight = {};
  int64_t first_row = 0;
  bool interleaved = false;
};
Status pack_linear(const PackLinearLaunch& args, Stream stream);

/// x     [T, K] the weight's dtype, rows on 16 bytes, K a multiple of 8, T <= 64
/// bias  [N] f32, device, or null; N = num_outputs, interleaved like the weight
/// out   kStore [T, N] and kAccumulate [T, N]: f32, f16 or bf16; kSiluMul [T, N / 2]
/// Reads each weight once. Every output is a sum over k in an order that (N, K) alone fixes: K is cut into slices of
/// whole CUDA blocks, a slice among four warps in steps of 64, their sums are added in order. Rows therefore do not
/// depend on T, and more than 64 rows may be multiplied by several calls. Weights are the A operand of mma (16
/// outputs), rows of x its n8. `workspace` holds linear_skinny_workspace() bytes whose first counters_bytes are zero
/// before the first call, and again after each. Asynchronous, allocates nothing, safe in graph capture.
/// bf16 needs sm_80. Errors: kErrorInvalidValue for another dtype, shape or alignment.
/// Source: Frantar et al. 2024, "MARLIN" (streaming weights through mma).
struct LinearSkinnyLaunch {
  Tensor x;
  LinearWeight weight = {};
  int64_t num_outputs = 0;  // <= weight.rows
  const float* bias = nullptr;
  LinearArgs::Epilogue epilogue = LinearArgs::Epilogue::kStore;
  Tensor out;
  void* workspace = nullptr;
  int64_t workspace_bytes = 0;
  int32_t shared_bytes_max = 49152;  // of a block, of the device: more rows at a time where there is more
};
constexpr int64_t kSkinnyRowsMax = 64;
Status linear_skinny(const LinearSkinnyLaunch& args, Stream stream);

struct LinearWorkspace {
  int64_t bytes = 0;
  int64_t counters_bytes = 0;
};
LinearWorkspace linear_skinny_workspace(const LinearWeight& weight);

}  // namespace seraph::cuda
