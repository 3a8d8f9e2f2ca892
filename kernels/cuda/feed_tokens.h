// Ids that the host does not know yet, put in their place on the device.
#pragma once

#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// ids[i] = drawn[-1 - ids[i]] where ids[i] < 0. A draw that found nothing (-1) becomes id 0: the host ends its
/// sequence when it learns of it.
/// ids [num_ids] int32, device; drawn [num_drawn] int32, device.
/// Asynchronous on the stream, allocates nothing, safe in graph capture.
struct FeedTokensLaunch {
  int32_t* ids = nullptr;
  int64_t num_ids = 0;
  const int32_t* drawn = nullptr;
  int64_t num_drawn = 0;
};
Status feed_tokens(const FeedTokensLaunch& args, Stream stream);

}  // namespace seraph::cuda
