// The working memory of an attention task, and how keys and values of any element type get into it. Included by
// instances only.
#pragma once

#include "kernels/cpu/ops/rows.h"

namespace seraph::cpu::SERAPH_ISA {

constexpr int kChunkVectors = kAttentionChunk / 16;

/// One thread's working memory; dims are padded to 16.
struct AttentionScratch {
  float* q;        // [rows][dim], scaled
  float* out;      // [rows][dim], unnormalised
  float* keys;     // [dim][kAttentionChunk]
  float* values;   // [kAttentionChunk][dim]
  float* weights;  // [rows][kAttentionChunk]
  float* max;      // [rows]
  float* sum;      // [rows]
  float* alpha;    // [rows] factor of the old sums in this chunk
};

inline int64_t padded_dim(int64_t head_dim) { return (head_dim + 15) / 16 * 16; }

int64_t attention_scratch_bytes(int32_t head_dim) {
  const int64_t dim = padded_dim(head_dim);
  const int64_t floats = 2 * kAttentionRowsMax * dim + 2 * kAttentionChunk * dim + kAttentionRowsMax * kAttentionChunk +
                         3 * kAttentionRowsMax;
  return floats * 4;
}

inline AttentionScratch divide_scratch(void* memory, int64_t dim) {
  float* p = static_cast<float*>(memory);
  AttentionScratch scratch;
  scratch.q = p;
  scratch.out = scratch.q + kAttentionRowsMax * dim;
  scratch.keys = scratch.out + kAttentionRowsMax * dim;
  scratch.values = scratch.keys + kAttentionChunk * dim;
  scratch.weights = scratch.values + kAttentionChunk * dim;
  scratch.max = scratch.weights + kAttentionRowsMax * kAttentionChunk;
  scratch.sum = scratch.max + kAttentionRowsMax;
  scratch.alpha = scratch.sum + kAttentionRowsMax;
  return scratch;
}

/// Sixteen elements of keys or values, only the first n of them touched.
inline F32 load_kv(const KvView& kv, const char* p, int64_t index, int64_t n) {
  if (kv.type != Element::kF8) return load_any_first(p, index, kv.type, n);
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(p) + index;
  if (n >= 16) return widen_f8(bytes);
  uint8_t buffer[16] = {};
  for (int64_t i = 0; i < n; ++i) buffer[i] = bytes[i];
  return widen_f8(buffer);
}

/// The scales of `group` tokens of a head from `token` on (ones where there are none), a lane each.
inline F32 load_scales(const KvView& kv, char* block, int64_t offset, int64_t head, int64_t token) {
  if (kv.type != Element::kF8) return splat(1.0F);
  return load_any_first(kv_scale(kv, block, offset, head, token), 0, Element::kBf16, kv.group);
}

/// The value of the token at `slot` (of the sequence) to row `at` of the chunk.
inline void load_value(const KvView& kv, const AttentionTask& task, const AttentionScratch& scratch, int64_t slot,
                       int64_t at) {
  const int64_t dim = kv.head_dim;
  char* block = kv_block(kv, task.blocks[slot / kv.block_tokens]);
  const char* values = block + kv.value_offset + task.kv_head * kv.head_bytes;
  const int64_t token = slot % kv.block_tokens;
  float* out = scratch.values + at * padded_dim(dim);
  for (int64_t d = 0; d < dim; d += 16) store(out + d, load_kv(kv, values, token * dim + d, dim - d));
  if (kv.type != Element::kF8) return;
  const F32 scale = splat(f8_scale_value(*kv_scale(kv, block, kv.value_scale_offset, task.kv_head, token)));
  for (int64_t d = 0; d < dim; d += 16) store(out + d, mul(load(out + d), scale));
}

/// Widens tokens [begin, end) of the chunk that starts at `chunk`; lanes outside stay what they were.
inline void load_chunk(const AttentionJob& job, const AttentionTask& task, const AttentionScratch& scratch,
                       int64_t chunk, int64_t begin, int64_t end) {
  const KvView& kv = job.kv;
  const int64_t dim = kv.head_dim;
  for (int64_t token = begin / kv.group * kv.group; token < end; token += kv.group) {
    char* block = kv_block(kv, task.blocks[token / kv.block_tokens]);
    const char* keys = block + kv.key_offset + task.kv_head * kv.head_bytes;
    const int64_t first = token % kv.block_tokens * dim;
    const F32 scales = load_scales(kv, block, kv.key_scale_offset, task.kv_head, token % kv.block_tokens);
    for (int64_t d = 0; d < dim; ++d) {
      const F32 key = load_kv(kv, keys, first + d * kv.group, kv.group);
      const F32 scaled = kv.type == Element::kF8 ? mul(key, scales) : key;
      store_first(scratch.keys + d * kAttentionChunk + token - chunk, scaled, kv.group);
    }
  }
  for (int64_t token = begin; token < end; ++token) load_value(kv, task, scratch, token, token - chunk);
}

/// The key of the token at `slot` (of the sequence) to lane `lane` of the chunk.
inline void load_key(const KvView& kv, const AttentionTask& task, const AttentionScratch& scratch, int64_t slot,
                     int64_t lane) {
  const int64_t dim = kv.head_dim;
  const int64_t token = slot % kv.block_tokens;
  char* block = kv_block(kv, task.blocks[slot / kv.block_tokens]);
  const char* keys = block + kv.key_offset + task.kv_head * kv.head_bytes;
  const int64_t first = token / kv.group * kv.group * dim;
  const F32 scales = load_scales(kv, block, kv.key_scale_offset, task.kv_head, token / kv.group * kv.group);
  for (int64_t d = 0; d < dim; ++d) {
    const F32 key = load_kv(kv, keys, first + d * kv.group, kv.group);
    alignas(64) float all[16];
    store(all, kv.type == Element::kF8 ? mul(key, scales) : key);
    scratch.keys[d * kAttentionChunk + lane] = all[token % kv.group];
  }
}

/// Positions of a path from `position` on that lie in the chunk, up to `end`; `path` has a bit for each.
inline void load_path(const AttentionJob& job, const AttentionTask& task, const AttentionScratch& scratch,
                      uint64_t path, int64_t chunk, int64_t end) {
  int64_t token = task.position;
  for (uint64_t rest = path; rest != 0 && token < end; rest &= rest - 1, ++token) {
    if (token < chunk) continue;
    const int64_t slot = task.position + __builtin_ctzll(rest);
    load_key(job.kv, task, scratch, slot, token - chunk);
    load_value(job.kv, task, scratch, slot, token - chunk);
  }
}

}  // namespace seraph::cpu::SERAPH_ISA
