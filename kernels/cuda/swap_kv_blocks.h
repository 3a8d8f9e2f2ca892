// Whole KV blocks moved between the device's cache and pinned host memory.
#pragma once

#include <span>

#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// Copies block device_blocks[i] to host_blocks[i] (to_host) or back. `host` is pinned memory of host_blocks' pool,
/// whole blocks side by side; a block is one piece, so that each is one transfer. The lists are read before the call
/// returns. Asynchronous on the stream: the device memory may be reused by later work of the stream, the host memory
/// may be read behind an event. Errors: kErrorInvalidValue for lists of different lengths or blocks that do not exist.
struct SwapKvBlocksLaunch {
  void* storage = nullptr;
  int64_t num_blocks = 0;
  void* host = nullptr;
  int64_t num_host_blocks = 0;
  int64_t block_bytes = 0;
  std::span<const int32_t> device_blocks = {};
  std::span<const int32_t> host_blocks = {};
  bool to_host = true;
};
Status swap_kv_blocks(const SwapKvBlocksLaunch& args, Stream stream);

}  // namespace seraph::cuda
