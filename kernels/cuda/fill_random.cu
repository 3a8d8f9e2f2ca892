#include <algorithm>

#include "kernels/cuda/fill_random.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/philox.h"
#include "kernels/cuda/ptx.h"

namespace seraph::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kGridYMax = 65535;

template <typename T>
struct Fill {
  Global<T> weight;
  int64_t rows;
  int64_t cols;
  int64_t stride;
  float scale;
  uint32_t seed_low;
  uint32_t seed_high;
};

template <typename T>
__global__ void __launch_bounds__(kThreads) fill(Fill<T> args) {
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (column >= args.cols) return;
  for (int64_t row = blockIdx.y; row < args.rows; row += gridDim.y) {
    const PhiloxWords words =
        philox({{static_cast<uint32_t>(column), static_cast<uint32_t>(row), 0, 0}}, args.seed_low, args.seed_high);
    const float value = args.scale * (2.0F * uniform_of(words.word[0]) - 1.0F);
    args.weight[row * args.stride + column] = from_float<T>(value);
  }
}

template <typename T>
Status launch_fill(const FillRandomLaunch& args, Stream stream) {
  const LinearWeight& weight = args.weight;
  Fill<T> filled;
  filled.weight = Global<T>(static_cast<T*>(weight.data), weight.rows * weight.stride);
  filled.rows = args.rows;
  filled.cols = weight.cols;
  filled.stride = weight.stride;
  filled.scale = args.scale;
  filled.seed_low = static_cast<uint32_t>(args.seed);
  filled.seed_high = static_cast<uint32_t>(args.seed >> 32);
  LaunchConfig config = {.name = "fill_random", .stream = stream};
  config.grid = {static_cast<uint32_t>((weight.cols + kThreads - 1) / kThreads),
                 static_cast<uint32_t>(std::min(args.rows, kGridYMax))};
  config.block = {kThreads};
  config.budget.sectors_ratio_max = 2.0F;
  return launch(fill<T>, config, filled);
}

}  // namespace

Status fill_random(const FillRandomLaunch& args, Stream stream) {
  if (args.rows == 0) return {};
  if (args.weight.dtype == DType::kF16) return launch_fill<half_t>(args, stream);
  if (args.weight.dtype == DType::kBf16) return launch_fill<bf16_t>(args, stream);
  return {kErrorInvalidValue, "fill_random: a weight that is neither f16 nor bf16"};
}

}  // namespace seraph::cuda
