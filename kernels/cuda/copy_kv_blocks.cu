#include <algorithm>

#include "kernels/cuda/copy_kv_blocks.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/ptx.h"

namespace seraph::cuda {
namespace {

constexpr int kBlockThreads = 256;
constexpr int kVecBytes = 16;
// Blocks of threads per copied KV block at most: 64 of them saturate any card when a few KV blocks move.
constexpr int64_t kGridYMax = 64;

/// A copy along x, its pieces along y.
__global__ void __launch_bounds__(kBlockThreads)
    copy_blocks(Global<uint8_t> storage, Global<const int32_t> from, Global<const int32_t> to, int64_t block_bytes) {
  const int64_t source = from[blockIdx.x] * block_bytes;
  const int64_t target = to[blockIdx.x] * block_bytes;
  const int64_t step = static_cast<int64_t>(gridDim.y) * kBlockThreads * kVecBytes;
  const int64_t begin = (static_cast<int64_t>(blockIdx.y) * kBlockThreads + threadIdx.x) * kVecBytes;
  for (int64_t at = begin; at < block_bytes; at += step) {
    const Vec<uint8_t, kVecBytes> bytes = load<kVecBytes>(storage, source + at);
    store(storage, target + at, bytes);
  }
}

}  // namespace

Status copy_kv_blocks(const CopyKvBlocksLaunch& args, Stream stream) {
  if (args.block_bytes <= 0 || args.block_bytes % kVecBytes != 0) {
    return {kErrorInvalidValue, "copy_kv_blocks: a block that is no multiple of 16 bytes"};
  }
  if (args.num_copies == 0) return {};
  constexpr int64_t kPieceBytes = kBlockThreads * kVecBytes;
  const int64_t pieces = (args.block_bytes + kPieceBytes - 1) / kPieceBytes;
  LaunchConfig config = {.name = "copy_kv_blocks", .stream = stream};
  config.grid = {static_cast<uint32_t>(args.num_copies), static_cast<uint32_t>(std::min(pieces, kGridYMax))};
  config.block = {kBlockThreads};
  return launch(copy_blocks, config,
                Global<uint8_t>(static_cast<uint8_t*>(args.storage), args.num_blocks * args.block_bytes),
                Global<const int32_t>(args.from, args.num_copies), Global<const int32_t>(args.to, args.num_copies),
                args.block_bytes);
}

}  // namespace seraph::cuda
