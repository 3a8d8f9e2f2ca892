#include <algorithm>

#include "kernels/cuda/element.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/silu_mul.h"

namespace seraph::cuda {
namespace {

constexpr int kBlockThreads = 256;
constexpr int kGroup = 8;  // columns of gate, then of up: 16 bytes each
constexpr int64_t kGridYMax = 65535;

template <typename T, typename Out>
struct Gate {
  Global<const T> product;
  Global<Out> out;
  int64_t product_stride;
  int64_t out_stride;
  int64_t num_rows;
  int64_t num_groups;  // of a row
};

/// A group per thread along x; rows along y.
template <typename T, typename Out>
__global__ void __launch_bounds__(kBlockThreads) gate_rows(Gate<T, Out> args) {
  const int64_t group = static_cast<int64_t>(blockIdx.x) * kBlockThreads + threadIdx.x;
  if (group >= args.num_groups) return;
  for (int64_t row = blockIdx.y; row < args.num_rows; row += gridDim.y) {
    const int64_t begin = row * args.product_stride + group * 2 * kGroup;
    const Vec<T, kGroup> gate = load<kGroup>(args.product, begin);
    const Vec<T, kGroup> up = load<kGroup>(args.product, begin + kGroup);
    Vec<Out, kGroup> out;
#pragma unroll
    for (int i = 0; i < kGroup; ++i) {
      const float x = to_float(gate[i]);
      out[i] = from_float<Out>(x / (1.0F + expf(-x)) * to_float(up[i]));
    }
    store(args.out, row * args.out_stride + group * kGroup, out);
  }
}

template <typename T, typename Out>
Status launch_gate(const SiluMulLaunch& args, Stream stream) {
  Gate<T, Out> gate;
  gate.product = elements_of<const T>(args.product);
  gate.out = elements_of<Out>(args.out);
  gate.product_stride = args.product.stride;
  gate.out_stride = args.out.stride;
  gate.num_rows = args.out.rows;
  gate.num_groups = args.out.cols / kGroup;
  LaunchConfig config = {.name = "silu_mul", .stream = stream};
  config.grid = {static_cast<uint32_t>((gate.num_groups + kBlockThreads - 1) / kBlockThreads),
                 static_cast<uint32_t>(std::min(args.out.rows, kGridYMax))};
  config.block = {kBlockThreads};
  // Gate and up are two instructions: each touches half of every sector.
  config.budget.sectors_ratio_max = 2.0F;
  return launch(gate_rows<T, Out>, config, gate);
}

template <typename T>
Status with_out(const SiluMulLaunch& args, Stream stream) {
  return args.out.dtype == DType::kF16 ? launch_gate<T, half_t>(args, stream) : launch_gate<T, bf16_t>(args, stream);
}

bool is_16bit(DType dtype) { return dtype == DType::kF16 || dtype == DType::kBf16; }

}  // namespace

Status silu_mul(const SiluMulLaunch& args, Stream stream) {
  constexpr int64_t kAlignment = 16;
  const bool runs = is_16bit(args.product.dtype) && is_16bit(args.out.dtype) && args.out.cols % kGroup == 0 &&
                    args.product.cols == 2 * args.out.cols && args.product.rows == args.out.rows &&
                    rows_aligned(args.product, kAlignment) && rows_aligned(args.out, kAlignment);
  if (!runs) return {kErrorInvalidValue, "silu_mul: a shape, dtype or alignment that it has no kernel for"};
  if (args.out.rows == 0 || args.out.cols == 0) return {};
  return args.product.dtype == DType::kF16 ? with_out<half_t>(args, stream) : with_out<bf16_t>(args, stream);
}

}  // namespace seraph::cuda
