// Whole KV blocks moved inside the device's cache.
#pragma once

#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// Copies block from[i] to block to[i] for i < num_copies. No block is both a source and a target, none is a target
/// twice. storage is num_blocks * block_bytes bytes; block_bytes a multiple of 16. from and to are device memory.
/// Asynchronous on the stream, allocates nothing. Errors: kErrorInvalidValue for other sizes.
struct CopyKvBlocksLaunch {
  void* storage = nullptr;
  int64_t block_bytes = 0;
  int64_t num_blocks = 0;
  const int32_t* from = nullptr;
  const int32_t* to = nullptr;
  int32_t num_copies = 0;
};
Status copy_kv_blocks(const CopyKvBlocksLaunch& args, Stream stream);

}  // namespace seraph::cuda
