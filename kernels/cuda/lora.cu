#include "kernels/cuda/element.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/lora.h"
#include "kernels/cuda/reduce.h"

namespace seraph::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kRowsPerBlock = 8;
constexpr int kExpandThreads = 128;
constexpr int kPack = 8;  // 16-bit numbers of one load

template <typename T>
struct Shrink {
  Global<const T> x;
  Global<const T> a;
  Global<const float> scales;
  Global<const int32_t> row_slots;
  Global<float> inner;
  int64_t x_stride;
  int32_t num_rows;
  int32_t cols;
  int32_t num_parts;
  int32_t rank_max;
};

/// Eight rows along x, a warp for each of eight rank rows along y.
template <typename T>
__global__ void __launch_bounds__(32 * kWarps) shrink(Shrink<T> args) {
  const int32_t first_row = static_cast<int32_t>(blockIdx.x) * kRowsPerBlock;
  const int32_t per_slot = args.num_parts * args.rank_max;
  const int32_t index = static_cast<int32_t>(blockIdx.y) * kWarps + warp_id();  // part * rank_max + r
  if (index >= per_slot) return;                                                // a whole warp
  int32_t slots[kRowsPerBlock];
  float sums[kRowsPerBlock];
#pragma unroll
  for (int i = 0; i < kRowsPerBlock; ++i) {
    slots[i] = -1;
    if (first_row + i < args.num_rows) slots[i] = args.row_slots[first_row + i];
    sums[i] = 0.0F;
  }
  for (int32_t k = lane_id() * kPack; k < args.cols; k += 32 * kPack) {
    Vec<T, kPack> a = {};
    int32_t loaded = -1;
#pragma unroll
    for (int i = 0; i < kRowsPerBlock; ++i) {
      if (slots[i] < 0) continue;
      if (slots[i] != loaded) {
        loaded = slots[i];
        a = load<kPack>(args.a, (static_cast<int64_t>(loaded) * per_slot + index) * args.cols + k);
      }
      const Vec<T, kPack> x = load<kPack>(args.x, (first_row + i) * args.x_stride + k);
#pragma unroll
      for (int j = 0; j < kPack; ++j) sums[i] = fmaf(to_float(a[j]), to_float(x[j]), sums[i]);
    }
  }
#pragma unroll
  for (int i = 0; i < kRowsPerBlock; ++i) {
    const float sum = warp_sum(sums[i]);
    if (slots[i] < 0 || lane_id() != 0) continue;
    const float scale = args.scales[slots[i] * args.num_parts + index / args.rank_max];
    args.inner[static_cast<int64_t>(first_row + i) * per_slot + index] = sum * scale;
  }
}

template <typename T, typename Out>
struct Expand {
  Global<const float> inner;
  Global<const T> b;
  Global<const int64_t> part_ends;
  Global<const int32_t> row_slots;
  Global<Out> out;
  int64_t out_stride;
  int64_t rows;
  int32_t num_parts;
  int32_t rank_max;
};

/// A row of the batch along y, a thread per output along x.
template <typename T, typename Out>
__global__ void __launch_bounds__(kExpandThreads) expand(Expand<T, Out> args) {
  const int64_t token = blockIdx.y;
  const int64_t n = static_cast<int64_t>(blockIdx.x) * kExpandThreads + threadIdx.x;
  const int32_t slot = args.row_slots[token];
  if (slot < 0 || n >= args.rows) return;
  int32_t part = 0;
  for (int32_t p = 0; p + 1 < args.num_parts; ++p) {
    const int64_t end = args.part_ends[p];
    if (n >= end) part = p + 1;
  }
  const int64_t inner = (token * args.num_parts + part) * args.rank_max;
  const int64_t b = (static_cast<int64_t>(slot) * args.rows + n) * args.rank_max;
  float sum = 0.0F;
  for (int32_t r = 0; r < args.rank_max; r += kPack) {
    const Vec<T, kPack> weights = load<kPack>(args.b, b + r);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const Vec<float, 4> u = load<4>(args.inner, inner + r + half * 4);
#pragma unroll
      for (int j = 0; j < 4; ++j) sum = fmaf(to_float(weights[half * 4 + j]), u[j], sum);
    }
  }
  const Out before = args.out[token * args.out_stride + n];
  args.out[token * args.out_stride + n] = from_float<Out>(to_float(before) + sum);
}

const char* breach_of(const LoraSlots& slots) {
  if (slots.rank_max <= 0 || slots.rank_max % kPack != 0 || slots.rank_max > kLoraRankMax || slots.cols % kPack != 0 ||
      slots.num_parts <= 0) {
    return "lora: a rank or width that is no multiple of 8";
  }
  const bool aligned = reinterpret_cast<uintptr_t>(slots.a) % 16 == 0 && reinterpret_cast<uintptr_t>(slots.b) % 16 == 0;
  return aligned ? nullptr : "lora: matrices that do not begin on 16 bytes";
}

template <typename T>
Status launch_shrink(const LoraShrinkLaunch& args, Stream stream) {
  const LoraSlots& slots = args.slots;
  const int32_t per_slot = slots.num_parts * slots.rank_max;
  Shrink<T> shrunk;
  shrunk.x = elements_of<const T>(args.x);
  shrunk.a = Global<const T>(static_cast<const T*>(slots.a), int64_t{slots.num_slots} * per_slot * slots.cols);
  shrunk.scales = Global<const float>(slots.scales, int64_t{slots.num_slots} * slots.num_parts);
  shrunk.row_slots = Global<const int32_t>(args.row_slots, args.x.rows);
  shrunk.inner = Global<float>(args.inner, args.x.rows * per_slot);
  shrunk.x_stride = args.x.stride;
  shrunk.num_rows = static_cast<int32_t>(args.x.rows);
  shrunk.cols = static_cast<int32_t>(slots.cols);
  shrunk.num_parts = slots.num_parts;
  shrunk.rank_max = slots.rank_max;
  LaunchConfig config = {.name = "lora_shrink", .stream = stream};
  config.grid = {static_cast<uint32_t>((args.x.rows + kRowsPerBlock - 1) / kRowsPerBlock),
                 static_cast<uint32_t>((per_slot + kWarps - 1) / kWarps)};
  config.block = {32 * kWarps};
  config.budget.sectors_ratio_max = 8.0F;  // slots, scales and results are single words
  return launch(shrink<T>, config, shrunk);
}

template <typename T, typename Out>
Status launch_expand(const LoraExpandLaunch& args, Stream stream) {
  const LoraSlots& slots = args.slots;
  Expand<T, Out> expanded;
  expanded.inner = Global<const float>(args.inner, args.out.rows * slots.num_parts * slots.rank_max);
  expanded.b = Global<const T>(static_cast<const T*>(slots.b), int64_t{slots.num_slots} * slots.rows * slots.rank_max);
  expanded.part_ends = Global<const int64_t>(args.part_ends, slots.num_parts);
  expanded.row_slots = Global<const int32_t>(args.row_slots, args.out.rows);
  expanded.out = elements_of<Out>(args.out);
  expanded.out_stride = args.out.stride;
  expanded.rows = slots.rows;
  expanded.num_parts = slots.num_parts;
  expanded.rank_max = slots.rank_max;
  LaunchConfig config = {.name = "lora_expand", .stream = stream};
  config.grid = {static_cast<uint32_t>((slots.rows + kExpandThreads - 1) / kExpandThreads),
                 static_cast<uint32_t>(args.out.rows)};
  config.block = {kExpandThreads};
  // A thread walks along its own row of B: a warp's load takes half of each sector, its neighbour in the loop the rest.
  config.budget.sectors_ratio_max = 8.0F;
  return launch(expand<T, Out>, config, expanded);
}

}  // namespace

Status lora_shrink(const LoraShrinkLaunch& args, Stream stream) {
  if (const char* breach = breach_of(args.slots); breach != nullptr) return {kErrorInvalidValue, breach};
  if (args.x.cols != args.slots.cols || !rows_aligned(args.x, 16)) {
    return {kErrorInvalidValue, "lora_shrink: inputs of another width, or rows not on 16 bytes"};
  }
  if (args.x.rows == 0) return {};
  if (args.x.dtype == DType::kF16) return launch_shrink<half_t>(args, stream);
  if (args.x.dtype == DType::kBf16) return launch_shrink<bf16_t>(args, stream);
  return {kErrorInvalidValue, "lora_shrink: a dtype other than f16 and bf16"};
}

Status lora_expand(const LoraExpandLaunch& args, Stream stream) {
  if (const char* breach = breach_of(args.slots); breach != nullptr) return {kErrorInvalidValue, breach};
  if (args.out.cols != args.slots.rows || reinterpret_cast<uintptr_t>(args.inner) % 16 != 0) {
    return {kErrorInvalidValue, "lora_expand: outputs of another width"};
  }
  if (args.out.rows == 0) return {};
  return with_element(args.out.dtype, [&]<typename Out>() {
    if (args.dtype == DType::kF16) return launch_expand<half_t, Out>(args, stream);
    if (args.dtype == DType::kBf16) return launch_expand<bf16_t, Out>(args, stream);
    return Status{kErrorInvalidValue, "lora_expand: matrices of a dtype other than f16 and bf16"};
  });
}

}  // namespace seraph::cuda
