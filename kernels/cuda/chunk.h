// Four neighbouring elements of any dtype as floats: one vector instruction where the rows are aligned, element by
// element where they are not or at the end of a row. Both ways give the same numbers to the same thread, so that a
// row's sums do not depend on where the row lies in memory.
#pragma once

#include "kernels/cuda/ptx.h"

#ifdef SERAPH_DEVICE_CODE

namespace seraph::cuda {

constexpr int kChunk = 4;

struct Chunk {
  float v[kChunk];
};

/// `count` (1..4) elements from `begin` on; the others are zero.
template <typename T>
SERAPH_DEVICE Chunk load_chunk(const Global<T>& x, int64_t begin, int64_t count, bool aligned) {
  Chunk out;
  if (aligned && count == kChunk) {
    const Vec<std::remove_const_t<T>, kChunk> raw = load<kChunk>(x, begin);
#pragma unroll
    for (int i = 0; i < kChunk; ++i) out.v[i] = to_float(raw[i]);
    return out;
  }
#pragma unroll
  for (int i = 0; i < kChunk; ++i) {
    out.v[i] = 0.0F;
    if (i < count) {
      const std::remove_const_t<T> element = x[begin + i];
      out.v[i] = to_float(element);
    }
  }
  return out;
}

template <typename T>
SERAPH_DEVICE void store_chunk(const Global<T>& x, int64_t begin, int64_t count, bool aligned, const Chunk& chunk) {
  if (aligned && count == kChunk) {
    Vec<T, kChunk> raw;
#pragma unroll
    for (int i = 0; i < kChunk; ++i) raw[i] = from_float<T>(chunk.v[i]);
    store(x, begin, raw);
    return;
  }
#pragma unroll
  for (int i = 0; i < kChunk; ++i) {
    if (i < count) x[begin + i] = from_float<T>(chunk.v[i]);
  }
}

}  // namespace seraph::cuda

#endif
