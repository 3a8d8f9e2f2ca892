#include <algorithm>

#include "kernels/cuda/element.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/linear_skinny.h"
#include "kernels/cuda/ptx.h"

namespace seraph::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kColsStep = 64;
constexpr int64_t kRowsStep = 16;
constexpr int64_t kGridYMax = 65535;

template <typename T, typename W>
__global__ void __launch_bounds__(kThreads)
    pack_rows(Global<const T> source, Global<W> weight, int64_t rows, int64_t cols, int64_t stride, int64_t first_row,
              bool interleaved) {
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (column >= stride) return;
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    float value = 0.0F;
    if (column < cols) {
      const T element = source[row * cols + column];
      value = to_float(element);
    }
    const int64_t to = interleaved ? row / 8 * 16 + first_row + row % 8 : first_row + row;
    weight[to * stride + column] = from_float<W>(value);
  }
}

template <typename T, typename W>
Status launch_pack(const PackLinearLaunch& args, Stream stream) {
  const LinearWeight& weight = args.weight;
  LaunchConfig config = {.name = "pack_linear", .stream = stream};
  config.grid = {static_cast<uint32_t>((weight.stride + kThreads - 1) / kThreads),
                 static_cast<uint32_t>(std::min(args.rows, kGridYMax))};
  config.block = {kThreads};
  config.budget.sectors_ratio_max = 2.0F;  // rows of the file may begin within a sector
  return launch(pack_rows<T, W>, config, Global<const T>(static_cast<const T*>(args.source), args.rows * weight.cols),
                Global<W>(static_cast<W*>(weight.data), weight.rows * weight.stride), args.rows, weight.cols,
                weight.stride, args.first_row, args.interleaved);
}

}  // namespace

LinearWeight plan_linear_weight(int64_t rows, int64_t cols, DType dtype) {
  return {.dtype = dtype,
          .rows = (rows + kRowsStep - 1) / kRowsStep * kRowsStep,
          .cols = cols,
          .stride = (cols + kColsStep - 1) / kColsStep * kColsStep};
}

int64_t linear_weight_bytes(const LinearWeight& weight) {
  return weight.rows * weight.stride * dtype_bytes(weight.dtype);
}

Status pack_linear(const PackLinearLaunch& args, Stream stream) {
  const int64_t last =
      args.interleaved ? (args.rows - 1) / 8 * 16 + args.first_row + 7 : args.first_row + args.rows - 1;
  if (args.rows < 0 || args.first_row < 0 || last >= args.weight.rows || (args.interleaved && args.rows % 8 != 0)) {
    return {kErrorInvalidValue, "pack_linear: rows outside of the weight"};
  }
  if (args.rows == 0) return {};
  return with_element(args.dtype, [&]<typename T>() -> Status {
    if (args.weight.dtype == DType::kF16) return launch_pack<T, half_t>(args, stream);
    if (args.weight.dtype == DType::kBf16) return launch_pack<T, bf16_t>(args, stream);
    return {kErrorInvalidValue, "pack_linear: a weight that is neither f16 nor bf16"};
  });
}

}  // namespace seraph::cuda
