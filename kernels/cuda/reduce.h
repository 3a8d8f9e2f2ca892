// Sums and maxima over a warp and over a block, in an order that is fixed by lane and warp numbers alone: a row's
// result does not depend on what else is in the batch. For kernels with one-dimensional blocks of whole warps.
#pragma once

#include "kernels/cuda/ptx.h"

#ifdef SERAPH_DEVICE_CODE

namespace seraph::cuda {

/// Every lane gets the sum. Collective.
SERAPH_DEVICE float warp_sum(float x) {
#pragma unroll
  for (int bits = 16; bits > 0; bits /= 2) x += shuffle_xor(x, bits);
  return x;
}

/// Every lane gets the maximum. Collective.
SERAPH_DEVICE float warp_max(float x) {
#pragma unroll
  for (int bits = 16; bits > 0; bits /= 2) x = fmaxf(x, shuffle_xor(x, bits));
  return x;
}

/// Every thread gets the block's sum. `partials` holds one float per warp and may be used again after the next
/// sync_threads(). Collective over the block.
SERAPH_DEVICE float block_sum(float x, Shared<float> partials) {
  x = warp_sum(x);
  if (lane_id() == 0) partials[warp_id()] = x;
  sync_threads();
  const int num_warps = static_cast<int>(blockDim.x) / 32;
  float total = 0.0F;
  for (int w = 0; w < num_warps; ++w) {
    const float part = partials[w];
    total += part;
  }
  return total;
}

/// The same for the maximum.
SERAPH_DEVICE float block_max(float x, Shared<float> partials) {
  x = warp_max(x);
  if (lane_id() == 0) partials[warp_id()] = x;
  sync_threads();
  const int num_warps = static_cast<int>(blockDim.x) / 32;
  float largest = x;
  for (int w = 0; w < num_warps; ++w) {
    const float part = partials[w];
    largest = fmaxf(largest, part);
  }
  return largest;
}

}  // namespace seraph::cuda

#endif
