// Paged attention of a few queries of one sequence against one KV head, for prefill and decode alike.
// Rows (query x head of the group) share every chunk of keys and values. A row's own operations and their
// order depend on its position and window only: chunks are cut at absolute positions, a chunk that a row
// does not see is skipped for that row, and inside a chunk a masked key takes no part: its score is never
// looked at and its value never multiplied, for it may not be finite. Included by instances only. Source: Milakov and
// Gimelshein 2018, arXiv:1805.02867 (the online softmax).
#pragma once

#include "kernels/cpu/ops/attention_load.h"

namespace seraph::cpu::SERAPH_ISA {

template <int R, int P>
[[gnu::always_inline]] inline void score_tile(const AttentionScratch& scratch, int64_t dim, int64_t row,
                                              int64_t vector) {
  F32 sum[R][P];
  for (int r = 0; r < R; ++r) {
    for (int p = 0; p < P; ++p) sum[r][p] = zero();
  }
  const int64_t stride = padded_dim(dim);
  const float* keys = scratch.keys + vector * 16;
  const float* q = scratch.q + row * stride;
  for (int64_t d = 0; d < dim; ++d) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const F32 input = splat(q[r * stride + d]);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) sum[r][p] = fma(load(keys + d * kAttentionChunk + p * 16), input, sum[r][p]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int p = 0; p < P; ++p) store(scratch.weights + (row + r) * kAttentionChunk + (vector + p) * 16, sum[r][p]);
  }
}

/// Tokens [begin, end) that a query sees: of the sequence, or of a chunk (relative to it).
struct Visible {
  int64_t begin;
  int64_t end;
};

/// The queries of R neighbouring rows see nearly the same tokens: those that all see, and those that any sees.
template <int R>
struct TileVisible {
  Visible row[R];
  Visible all;
  Visible any;
};

/// sum[r] += weights[r] * values for tokens [begin, end); rows whose query does not see a token leave it out if
/// kRagged.
template <bool kRagged, int R, int P>
[[gnu::always_inline]] inline void add_values(F32 (&sum)[R][P], const AttentionScratch& scratch, int64_t stride,
                                              int64_t row, int64_t d, int64_t begin, int64_t end,
                                              const TileVisible<R>& seen) {
  for (int64_t t = begin; t < end; ++t) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      if (kRagged && (t < seen.row[r].begin || t >= seen.row[r].end)) continue;
      const F32 weight = splat(scratch.weights[(row + r) * kAttentionChunk + t]);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) sum[r][p] = fma(load(scratch.values + t * stride + d + p * 16), weight, sum[r][p]);
    }
  }
}

/// out[row] = out[row] * alpha + weights[row] * values, tokens ascending.
template <int R, int P>
[[gnu::always_inline]] inline void value_tile(const AttentionScratch& scratch, int64_t stride, int64_t row, int64_t d,
                                              const TileVisible<R>& seen) {
  F32 sum[R][P];
  for (int r = 0; r < R; ++r) {
    const F32 alpha = splat(scratch.alpha[row + r]);
    for (int p = 0; p < P; ++p) sum[r][p] = mul(load(scratch.out + (row + r) * stride + d + p * 16), alpha);
  }
  add_values<true>(sum, scratch, stride, row, d, seen.any.begin, seen.all.begin, seen);
  add_values<false>(sum, scratch, stride, row, d, seen.all.begin, seen.all.end, seen);
  add_values<true>(sum, scratch, stride, row, d, seen.all.end, seen.any.end, seen);
  for (int r = 0; r < R; ++r) {
    for (int p = 0; p < P; ++p) store(scratch.out + (row + r) * stride + d + p * 16, sum[r][p]);
  }
}

/// What the query at `position` sees.
inline Visible visible(const AttentionJob& job, int64_t position) {
  const int64_t begin = job.window > 0 && position >= job.window ? position - job.window + 1 : 0;
  return {begin, position + 1};
}

/// Scores of one row to weights exp(score - max); updates max, sum and alpha. [begin, end) are the chunk's
/// tokens (relative to it) that the row sees; other weights become 0.
[[gnu::always_inline]] inline void soften_row(const AttentionScratch& scratch, int64_t row, int64_t begin,
                                              int64_t end) {
  float* weights = scratch.weights + row * kAttentionChunk;
  if (begin >= end) {
    for (int i = 0; i < kChunkVectors; ++i) store(weights + i * 16, zero());
    scratch.alpha[row] = 1.0F;
    return;
  }
  const F32 lowest = splat(-__builtin_inff());
  F32 largest = lowest;
  F32 score[kChunkVectors];
  for (int i = 0; i < kChunkVectors; ++i) {
    const int64_t from = begin - i * 16;
    const int64_t to = end - i * 16;
    const Mask below_to = to <= 0 ? 0U : to >= 16 ? 0xFFFFU : (1U << to) - 1U;
    const Mask below_from = from <= 0 ? 0U : from >= 16 ? 0xFFFFU : (1U << from) - 1U;
    score[i] = select(below_to & ~below_from, load(weights + i * 16), lowest);
    largest = max(largest, score[i]);
  }
  const float before = scratch.max[row];
  const float chunk_max = max_lanes(largest);
  const float after = before > chunk_max ? before : chunk_max;
  F32 sum = zero();
  for (int i = 0; i < kChunkVectors; ++i) {
    const F32 weight = exp(sub(score[i], splat(after)));
    store(weights + i * 16, weight);
    sum = add(sum, weight);
  }
  alignas(64) float alpha[16];
  store(alpha, exp(splat(before - after)));
  scratch.alpha[row] = alpha[0];
  scratch.sum[row] = scratch.sum[row] * alpha[0] + sum_lanes(sum);
  scratch.max[row] = after;
}

#if SERAPH_ISA_AVX512
constexpr int kAttentionTileRows = 6;
constexpr int kAttentionTileVectors = 4;
#else
constexpr int kAttentionTileRows = 3;
constexpr int kAttentionTileVectors = 2;
#endif

template <int R>
inline void score_rows(const AttentionScratch& scratch, int64_t dim, int64_t row) {
  for (int v = 0; v < kChunkVectors; v += kAttentionTileVectors) {
    score_tile<R, kAttentionTileVectors>(scratch, dim, row, v);
  }
}
/// The ranges of R rows of a chunk. Rows that see nothing of it (begin >= end) leave nothing that all see.
template <int R>
inline TileVisible<R> join_visible(const Visible* rows) {
  TileVisible<R> out{.row = {}, .all = {0, kAttentionChunk}, .any = {kAttentionChunk, 0}};
  for (int r = 0; r < R; ++r) {
    out.row[r] = rows[r];
    if (rows[r].begin > out.all.begin) out.all.begin = rows[r].begin;
    if (rows[r].end < out.all.end) out.all.end = rows[r].end;
    if (rows[r].begin >= rows[r].end) continue;
    if (rows[r].begin < out.any.begin) out.any.begin = rows[r].begin;
    if (rows[r].end > out.any.end) out.any.end = rows[r].end;
  }
  if (out.all.begin >= out.all.end) out.all = {out.any.end, out.any.end};
  return out;
}
template <int R>
inline void value_rows(const AttentionScratch& scratch, int64_t stride, int64_t row, const Visible* seen) {
  const TileVisible<R> tile = join_visible<R>(seen);
  int64_t d = 0;
  for (; d + kAttentionTileVectors * 16 <= stride; d += kAttentionTileVectors * 16) {
    value_tile<R, kAttentionTileVectors>(scratch, stride, row, d, tile);
  }
  for (; d < stride; d += 16) value_tile<R, 1>(scratch, stride, row, d, tile);
}

/// Where a query of the task stands.
inline int64_t position_of(const AttentionTask& task, int64_t query) {
  return task.paths == nullptr ? task.position + query : task.position + __builtin_popcountll(task.paths[query]) - 1;
}

/// Rows [row_begin, row_end) of the task against the loaded chunk at `chunk`.
inline void attend_chunk(const AttentionJob& job, const AttentionTask& task, const AttentionScratch& scratch,
                         int64_t row_begin, int64_t row_end, int64_t chunk) {
  const int64_t dim = job.kv.head_dim;
  const int64_t stride = padded_dim(dim);
  const int64_t group = job.num_heads / job.kv.num_kv_heads;
  int64_t row = row_begin;
  for (; row + kAttentionTileRows <= row_end; row += kAttentionTileRows) {
    score_rows<kAttentionTileRows>(scratch, dim, row);
  }
  for (; row < row_end; ++row) score_rows<1>(scratch, dim, row);
  Visible in_chunk[kAttentionRowsMax];
  for (row = row_begin; row < row_end; ++row) {
    const Visible seen = visible(job, position_of(task, row / group));
    in_chunk[row] = {seen.begin > chunk ? seen.begin - chunk : 0,
                     seen.end - chunk < kAttentionChunk ? seen.end - chunk : kAttentionChunk};
    soften_row(scratch, row, in_chunk[row].begin, in_chunk[row].end);
  }
  row = row_begin;
  for (; row + kAttentionTileRows <= row_end; row += kAttentionTileRows) {
    value_rows<kAttentionTileRows>(scratch, stride, row, in_chunk + row);
  }
  for (; row < row_end; ++row) value_rows<1>(scratch, stride, row, in_chunk + row);
}

/// The chunks that hold a tree: each query has its own tokens at the positions behind the context.
inline void attend_paths(const AttentionJob& job, const AttentionTask& task, const AttentionScratch& scratch,
                         int64_t first_chunk) {
  const int64_t group = job.num_heads / job.kv.num_kv_heads;
  for (int64_t query = 0; query < task.num_queries; ++query) {
    const Visible seen = visible(job, position_of(task, query));
    for (int64_t chunk = first_chunk; chunk < seen.end; chunk += kAttentionChunk) {
      const int64_t begin = seen.begin > chunk ? seen.begin : chunk;
      const int64_t end = chunk + kAttentionChunk < seen.end ? chunk + kAttentionChunk : seen.end;
      if (begin >= end) continue;
      const int64_t shared_end = task.position < end ? task.position : end;
      if (begin < shared_end) load_chunk(job, task, scratch, chunk, begin, shared_end);
      load_path(job, task, scratch, task.paths[query], chunk, end);
      attend_chunk(job, task, scratch, query * group, (query + 1) * group, chunk);
    }
  }
}

void attention(const AttentionJob& job, const AttentionTask& task, void* memory) {
  const int64_t dim = job.kv.head_dim;
  const int64_t stride = padded_dim(dim);
  const AttentionScratch scratch = divide_scratch(memory, stride);
  const int64_t group = job.num_heads / job.kv.num_kv_heads;
  const int64_t rows = task.num_queries * group;
  for (int64_t row = 0; row < rows; ++row) {
    const float* q = job.q + (task.row + row / group) * job.q_stride + (task.kv_head * group + row % group) * dim;
    for (int64_t d = 0; d < stride; d += 16) {
      store(scratch.q + row * stride + d, mul(load_first(q + d, dim - d), splat(job.scale)));
      store(scratch.out + row * stride + d, zero());
    }
    scratch.max[row] = -__builtin_inff();
    scratch.sum[row] = 0.0F;
  }
  const int64_t begin = visible(job, task.position).begin;
  const bool tree = task.paths != nullptr;
  // Whole chunks of context are shared by the queries of a tree as by those of a line.
  const int64_t end = tree ? task.position / kAttentionChunk * kAttentionChunk : task.position + task.num_queries;
  for (int64_t chunk = begin / kAttentionChunk * kAttentionChunk; chunk < end; chunk += kAttentionChunk) {
    const int64_t chunk_begin = begin > chunk ? begin : chunk;
    const int64_t chunk_end = chunk + kAttentionChunk < end ? chunk + kAttentionChunk : end;
    load_chunk(job, task, scratch, chunk, chunk_begin, chunk_end);
    attend_chunk(job, task, scratch, 0, rows, chunk);
  }
  if (tree) attend_paths(job, task, scratch, end);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t at = (task.row + row / group) * job.out_stride + (task.kv_head * group + row % group) * dim;
    const F32 scale = splat(1.0F / scratch.sum[row]);
    for (int64_t d = 0; d < dim; d += 16) {
      store_any_first(job.out, at + d, job.out_type, mul(load(scratch.out + row * stride + d), scale), dim - d);
    }
  }
}

}  // namespace seraph::cpu::SERAPH_ISA
