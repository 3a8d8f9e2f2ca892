#include "kernels/cuda/chunk.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/reduce.h"
#include "kernels/cuda/rms_norm.h"

namespace seraph::cuda {
namespace {

constexpr int kWarpGroupMax = 512;  // up to here a warp norms a group, beyond a block does
constexpr int kWarpsPerBlock = 4;
constexpr int kBlockThreads = 256;

template <typename T, typename Out>
struct Norm {
  Global<T> x;
  Global<const T> addend;
  Global<const float> weight;
  Global<Out> out;
  int64_t x_stride;
  int64_t addend_stride;  // 0: no addend
  int64_t out_stride;
  int32_t group;
  int32_t groups_per_row;
  int64_t num_groups;  // over all rows
  float eps;
  bool aligned;
};

/// The sum of squares of this thread's part of a group; adds the addend on the way.
template <typename T, typename Out>
SERAPH_DEVICE float sum_of_squares(const Norm<T, Out>& norm, int64_t row, int64_t column, int thread, int num_threads) {
  const int64_t x_begin = row * norm.x_stride + column;
  float squares = 0.0F;
  for (int64_t c = thread * kChunk; c < norm.group; c += num_threads * kChunk) {
    const int64_t count = norm.group - c < kChunk ? norm.group - c : kChunk;
    Chunk values = load_chunk(norm.x, x_begin + c, count, norm.aligned);
    if (norm.addend_stride != 0) {
      const int64_t begin = row * norm.addend_stride + column + c;
      const Chunk added = load_chunk(norm.addend, begin, count, norm.aligned);
#pragma unroll
      for (int i = 0; i < kChunk; ++i) values.v[i] = to_float(from_float<T>(values.v[i] + added.v[i]));
      store_chunk(norm.x, x_begin + c, count, norm.aligned, values);
    }
#pragma unroll
    for (int i = 0; i < kChunk; ++i) squares = fmaf(values.v[i], values.v[i], squares);
  }
  return squares;
}

template <typename T, typename Out>
SERAPH_DEVICE void write_normed(const Norm<T, Out>& norm, int64_t row, int64_t column, int thread, int num_threads,
                                float squares) {
  const float scale = 1.0F / sqrtf(squares / static_cast<float>(norm.group) + norm.eps);
  for (int64_t c = thread * kChunk; c < norm.group; c += num_threads * kChunk) {
    const int64_t count = norm.group - c < kChunk ? norm.group - c : kChunk;
    Chunk values = load_chunk(norm.x, row * norm.x_stride + column + c, count, norm.aligned);
    const Chunk weights = load_chunk(norm.weight, c, count, norm.aligned);
#pragma unroll
    for (int i = 0; i < kChunk; ++i) values.v[i] = values.v[i] * scale * weights.v[i];
    store_chunk(norm.out, row * norm.out_stride + column + c, count, norm.aligned, values);
  }
}

template <typename T, typename Out>
__global__ void __launch_bounds__(32 * kWarpsPerBlock) norm_by_warp(Norm<T, Out> norm) {
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + warp_id();
  const bool present = index < norm.num_groups;
  const int64_t row = index / norm.groups_per_row;
  const int64_t column = index % norm.groups_per_row * norm.group;
  const float mine = present ? sum_of_squares(norm, row, column, lane_id(), 32) : 0.0F;
  const float squares = warp_sum(mine);
  if (present) write_normed(norm, row, column, lane_id(), 32, squares);
}

template <typename T, typename Out>
__global__ void __launch_bounds__(kBlockThreads) norm_by_block(Norm<T, Out> norm) {
  SERAPH_SHARED(float, partials, kBlockThreads / 32);
  const int64_t row = static_cast<int64_t>(blockIdx.x) / norm.groups_per_row;
  const int64_t column = static_cast<int64_t>(blockIdx.x) % norm.groups_per_row * norm.group;
  const int thread = static_cast<int>(threadIdx.x);
  const float mine = sum_of_squares(norm, row, column, thread, kBlockThreads);
  const float squares = block_sum(mine, partials);
  write_normed(norm, row, column, thread, kBlockThreads, squares);
}

template <typename T, typename Out>
Status launch_norm(const RmsNormLaunch& args, Stream stream) {
  const bool adds = args.addend.data != nullptr;
  Norm<T, Out> norm;
  norm.x = elements_of<T>(args.x);
  if (adds) norm.addend = elements_of<const T>(args.addend);
  norm.weight = Global<const float>(args.weight, args.group);
  norm.out = elements_of<Out>(args.out);
  norm.x_stride = args.x.stride;
  norm.addend_stride = adds ? args.addend.stride : 0;
  norm.out_stride = args.out.stride;
  norm.group = static_cast<int32_t>(args.group);
  norm.groups_per_row = static_cast<int32_t>(args.x.cols / args.group);
  norm.num_groups = args.x.rows * norm.groups_per_row;
  norm.eps = args.eps;
  norm.aligned = args.group % kChunk == 0 && rows_aligned(args.x, kChunk * dtype_bytes(args.x.dtype)) &&
                 rows_aligned(args.out, kChunk * dtype_bytes(args.out.dtype)) &&
                 (!adds || rows_aligned(args.addend, kChunk * dtype_bytes(args.addend.dtype))) &&
                 reinterpret_cast<uintptr_t>(args.weight) % (kChunk * sizeof(float)) == 0;
  LaunchConfig config = {.name = "rms_norm", .stream = stream};
  // Rows may begin within a sector, and a group may be smaller than one; single elements cost a sector each.
  config.budget.sectors_ratio_max = norm.aligned ? 2.0F : 16.0F;
  if (args.group <= kWarpGroupMax) {
    config.grid = {static_cast<uint32_t>((norm.num_groups + kWarpsPerBlock - 1) / kWarpsPerBlock)};
    config.block = {32 * kWarpsPerBlock};
    return launch(norm_by_warp<T, Out>, config, norm);
  }
  config.grid = {static_cast<uint32_t>(norm.num_groups)};
  config.block = {kBlockThreads};
  return launch(norm_by_block<T, Out>, config, norm);
}

}  // namespace

Status rms_norm(const RmsNormLaunch& args, Stream stream) {
  if (args.group <= 0 || args.x.cols % args.group != 0 || args.out.cols != args.x.cols) {
    return {kErrorInvalidValue, "rms_norm: columns that are no whole groups"};
  }
  if (args.x.rows == 0) return {};
  return with_element(args.x.dtype, [&]<typename T>() {
    return with_element(args.out.dtype, [&]<typename Out>() { return launch_norm<T, Out>(args, stream); });
  });
}

}  // namespace seraph::cuda
