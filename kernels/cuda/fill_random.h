// Made-up weights, for load tests.
#pragma once

#include "kernels/cuda/linear_skinny.h"

namespace seraph::cuda {

/// The first `rows` rows of the weight: uniform in (-scale, scale), each element from seed, row and column alone.
/// Padding is left as it is. Asynchronous on the stream. Errors: kErrorInvalidValue for another dtype.
struct FillRandomLaunch {
  LinearWeight weight = {};
  int64_t rows = 0;
  float scale = 1.0F;
  uint64_t seed = 0;
};
Status fill_random(const FillRandomLaunch& args, Stream stream);

}  // namespace seraph::cuda
