// A row of logits as a ranking sees it, and the keys that order it. The threads of one block share the row.
#pragma once

#include "kernels/cuda/chunk.h"

#ifdef SERAPH_DEVICE_CODE

namespace seraph::cuda {

constexpr int kSelectThreads = 1024;

/// A row as the ranking sees it. NaN, masked ids and ids from `count` on are -infinity.
struct VocabView {
  Global<const float> logits;
  Global<const uint32_t> allowed;
  int64_t begin;          // of the row
  int64_t allowed_begin;  // -1: all
  int32_t count;
  float temperature;
  bool aligned;
};

SERAPH_DEVICE uint64_t key_of(float value, int32_t id) {
  const uint32_t bits = float_bits(value + 0.0F);  // -0 becomes 0, which it equals
  const uint32_t ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
  return static_cast<uint64_t>(ordered) << 32 | ~static_cast<uint32_t>(id);
}
SERAPH_DEVICE float value_of(uint64_t key) {
  const auto ordered = static_cast<uint32_t>(key >> 32);
  return bits_float((ordered & 0x80000000U) != 0 ? ordered & 0x7FFFFFFFU : ~ordered);
}
SERAPH_DEVICE int32_t id_of(uint64_t key) { return static_cast<int32_t>(~static_cast<uint32_t>(key)); }
/// The smallest key of a value: all ids of that value are at least it.
SERAPH_DEVICE uint64_t first_key_of(float value) { return key_of(value, -1); }
/// Below the key of every finite value.
SERAPH_DEVICE uint64_t lowest_key() { return first_key_of(-3.402823466e38F); }

/// The values of ids first .. first + 3; `first` is a multiple of 4.
SERAPH_DEVICE Chunk four_values(const VocabView& view, int32_t first) {
  const int32_t left = view.count - first;
  Chunk values = load_chunk(view.logits, view.begin + first, left < kChunk ? left : kChunk, view.aligned);
  uint32_t allowed = 0xFU;
  if (view.allowed_begin >= 0) {
    const uint32_t word = view.allowed[view.allowed_begin + first / 32];
    allowed = word >> first % 32;
  }
#pragma unroll
  for (int i = 0; i < kChunk; ++i) {
    const bool present = i < left && (allowed >> i & 1U) != 0 && values.v[i] == values.v[i];
    values.v[i] = present ? values.v[i] / view.temperature : -INFINITY;
  }
  return values;
}

/// function(id, value) for every id that belongs to this thread.
template <typename Function>
SERAPH_DEVICE void for_each_value(const VocabView& view, const Function& function) {
  for (int32_t first = static_cast<int32_t>(threadIdx.x) * kChunk; first < view.count;
       first += kSelectThreads * kChunk) {
    const Chunk values = four_values(view, first);
#pragma unroll
    for (int i = 0; i < kChunk; ++i) {
      if (first + i < view.count) function(first + i, values.v[i]);
    }
  }
}

}  // namespace seraph::cuda

#endif
