#include "kernels/cuda/swap_kv_blocks.h"

namespace seraph::cuda {

Status swap_kv_blocks(const SwapKvBlocksLaunch& args, Stream stream) {
  if (args.device_blocks.size() != args.host_blocks.size()) {
    return {kErrorInvalidValue, "swap_kv_blocks: lists of different lengths"};
  }
  for (size_t i = 0; i < args.device_blocks.size(); ++i) {
    if (args.device_blocks[i] < 0 || args.device_blocks[i] >= args.num_blocks || args.host_blocks[i] < 0 ||
        args.host_blocks[i] >= args.num_host_blocks) {
      return {kErrorInvalidValue, "swap_kv_blocks: a block that does not exist"};
    }
  }
  for (size_t i = 0; i < args.device_blocks.size(); ++i) {
    size_t count = 1;  // neighbours on both sides travel together
    while (i + count < args.device_blocks.size() &&
           args.device_blocks[i + count] == args.device_blocks[i] + static_cast<int32_t>(count) &&
           args.host_blocks[i + count] == args.host_blocks[i] + static_cast<int32_t>(count)) {
      ++count;
    }
    char* device = static_cast<char*>(args.storage) + args.device_blocks[i] * args.block_bytes;
    char* host = static_cast<char*>(args.host) + args.host_blocks[i] * args.block_bytes;
    const int64_t bytes = static_cast<int64_t>(count) * args.block_bytes;
    const Status copied = args.to_host ? copy_async(host, device, bytes, CopyKind::kDeviceToHost, stream)
                                       : copy_async(device, host, bytes, CopyKind::kHostToDevice, stream);
    if (!copied.ok()) return copied;
    i += count - 1;
  }
  return {};
}

}  // namespace seraph::cuda
