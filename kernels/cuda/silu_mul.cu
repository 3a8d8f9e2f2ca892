#include <algorithm>

#include "kernels/cuda/chunk.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/silu_mul.h"

namespace seraph::cuda {
namespace {

constexpr int kBlockThreads = 256;
constexpr int64_t kGridYMax = 65535;

template <typename T, typename Out>
struct Gate {
  Global<const T> gate;
  Global<const T> up;
  Global<Out> out;
  int64_t gate_stride;
  int64_t up_stride;
  int64_t out_stride;
  int64_t num_rows;
  int64_t cols;
  bool aligned;
};

/// A chunk per thread along x; rows along y.
template <typename T, typename Out>
__global__ void __launch_bounds__(kBlockThreads) gate_rows(Gate<T, Out> args) {
  const int64_t c = (static_cast<int64_t>(blockIdx.x) * kBlockThreads + threadIdx.x) * kChunk;
  if (c >= args.cols) return;
  const int64_t count = args.cols - c < kChunk ? args.cols - c : kChunk;
  for (int64_t row = blockIdx.y; row < args.num_rows; row += gridDim.y) {
    const Chunk gate = load_chunk(args.gate, row * args.gate_stride + c, count, args.aligned);
    Chunk values = load_chunk(args.up, row * args.up_stride + c, count, args.aligned);
#pragma unroll
    for (int i = 0; i < kChunk; ++i) values.v[i] *= gate.v[i] / (1.0F + expf(-gate.v[i]));
    store_chunk(args.out, row * args.out_stride + c, count, args.aligned, values);
  }
}

template <typename T, typename Out>
Status launch_gate(const SiluMulLaunch& args, Stream stream) {
  Gate<T, Out> gate;
  gate.gate = elements_of<const T>(args.gate);
  gate.up = elements_of<const T>(args.up);
  gate.out = elements_of<Out>(args.out);
  gate.gate_stride = args.gate.stride;
  gate.up_stride = args.up.stride;
  gate.out_stride = args.out.stride;
  gate.num_rows = args.out.rows;
  gate.cols = args.out.cols;
  gate.aligned = rows_aligned(args.gate, kChunk * dtype_bytes(args.gate.dtype)) &&
                 rows_aligned(args.up, kChunk * dtype_bytes(args.up.dtype)) &&
                 rows_aligned(args.out, kChunk * dtype_bytes(args.out.dtype));
  constexpr int64_t kBlockCols = kBlockThreads * kChunk;
  LaunchConfig config = {.name = "silu_mul", .stream = stream};
  config.grid = {static_cast<uint32_t>((args.out.cols + kBlockCols - 1) / kBlockCols),
                 static_cast<uint32_t>(std::min(args.out.rows, kGridYMax))};
  config.block = {kBlockThreads};
  // Rows may begin within a sector; single elements cost a sector each.
  config.budget.sectors_ratio_max = gate.aligned ? 2.0F : 16.0F;
  return launch(gate_rows<T, Out>, config, gate);
}

}  // namespace

Status silu_mul(const SiluMulLaunch& args, Stream stream) {
  if (args.gate.dtype != args.up.dtype || args.gate.cols != args.out.cols || args.up.cols != args.out.cols) {
    return {kErrorInvalidValue, "silu_mul: gate, up and out of different shapes"};
  }
  if (args.out.rows == 0 || args.out.cols == 0) return {};
  return with_element(args.gate.dtype, [&]<typename T>() {
    return with_element(args.out.dtype, [&]<typename Out>() { return launch_gate<T, Out>(args, stream); });
  });
}

}  // namespace seraph::cuda
