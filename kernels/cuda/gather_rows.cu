#include <algorithm>

#include "kernels/cuda/chunk.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/gather_rows.h"
#include "kernels/cuda/launch.h"

namespace seraph::cuda {
namespace {

constexpr int kBlockThreads = 256;

template <typename T, typename Out>
struct Gather {
  Global<const T> x;
  Global<const int32_t> rows;
  Global<Out> out;
  int64_t x_stride;
  int64_t out_stride;
  int32_t cols;
  bool aligned;
};

/// A row per block.
template <typename T, typename Out>
__global__ void __launch_bounds__(kBlockThreads) gather(Gather<T, Out> args) {
  const int64_t to = blockIdx.x;
  const int64_t from = args.rows[to];
  for (int64_t c = threadIdx.x * kChunk; c < args.cols; c += blockDim.x * kChunk) {
    const int64_t count = args.cols - c < kChunk ? args.cols - c : kChunk;
    const Chunk values = load_chunk(args.x, from * args.x_stride + c, count, args.aligned);
    store_chunk(args.out, to * args.out_stride + c, count, args.aligned, values);
  }
}

template <typename T, typename Out>
Status launch_gather(const GatherRowsLaunch& args, Stream stream) {
  Gather<T, Out> gathered;
  gathered.x = elements_of<const T>(args.x);
  gathered.rows = Global<const int32_t>(args.rows, args.out.rows);
  gathered.out = elements_of<Out>(args.out);
  gathered.x_stride = args.x.stride;
  gathered.out_stride = args.out.stride;
  gathered.cols = static_cast<int32_t>(args.x.cols);
  gathered.aligned = rows_aligned(args.x, kChunk * dtype_bytes(args.x.dtype)) &&
                     rows_aligned(args.out, kChunk * dtype_bytes(args.out.dtype));
  const int64_t threads = (args.x.cols + kChunk - 1) / kChunk;
  LaunchConfig config = {.name = "gather_rows", .stream = stream};
  config.grid = {static_cast<uint32_t>(args.out.rows)};
  config.block = {static_cast<uint32_t>(std::min<int64_t>(kBlockThreads, (threads + 31) / 32 * 32))};
  // Rows may begin within a sector; single elements cost a sector each.
  config.budget.sectors_ratio_max = gathered.aligned ? 2.0F : 16.0F;
  return launch(gather<T, Out>, config, gathered);
}

}  // namespace

Status gather_rows(const GatherRowsLaunch& args, Stream stream) {
  if (args.out.cols != args.x.cols) return {kErrorInvalidValue, "gather_rows: rows of another width"};
  if (args.out.rows == 0) return {};
  return with_element(args.x.dtype, [&]<typename T>() {
    return with_element(args.out.dtype, [&]<typename Out>() { return launch_gather<T, Out>(args, stream); });
  });
}

}  // namespace seraph::cuda
