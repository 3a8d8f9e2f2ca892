// What the attention kernels share: the batch as they see it, how query rows of a KV head's group are packed into the
// rows of a tile, and the products of one warp's 16 rows with 16 keys or values.
#pragma once

#include "kernels/cuda/attention_decode.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/tile.h"

#ifdef SERAPH_DEVICE_CODE

namespace seraph::cuda {

constexpr float kNothing = -INFINITY;

template <typename T>
struct PagedArrays {
  Global<const T> q;
  Global<T> out;
  Global<const T> cache;
  Global<const int32_t> row_begin;
  Global<const int32_t> context_tokens;
  Global<const int32_t> block_tables;
  int64_t q_stride;
  int64_t out_stride;
  int64_t block_elements;
  int64_t layer_begin;
  int32_t num_sequences;
  int32_t num_kv_heads;
  int32_t group;  // query heads of a KV head
  int32_t block_tokens;
  int32_t blocks_stride;
  int32_t window;
  float scale_log2;  // scores become exponents of two
};

/// From the arguments of either launcher.
template <typename T, typename Launch>
PagedArrays<T> paged_arrays(const Launch& args) {
  const KvShape& shape = args.shape;
  const int64_t plane = static_cast<int64_t>(shape.num_kv_heads) * shape.block_tokens * shape.head_dim;
  PagedArrays<T> paged;
  paged.q = elements_of<const T>(args.q);
  paged.out = elements_of<T>(args.out);
  paged.block_elements = 2 * plane * shape.num_layers;
  paged.layer_begin = 2 * plane * args.layer;
  paged.cache = Global<const T>(static_cast<const T*>(args.cache), paged.block_elements * args.num_blocks);
  paged.row_begin = Global<const int32_t>(args.row_begin, args.num_sequences + 1);
  paged.context_tokens = Global<const int32_t>(args.context_tokens, args.num_sequences);
  paged.block_tables =
      Global<const int32_t>(args.block_tables, static_cast<int64_t>(args.num_sequences) * args.blocks_stride);
  paged.q_stride = args.q.stride;
  paged.out_stride = args.out.stride;
  paged.num_sequences = args.num_sequences;
  paged.num_kv_heads = shape.num_kv_heads;
  paged.group = args.num_heads / shape.num_kv_heads;
  paged.block_tokens = shape.block_tokens;
  paged.blocks_stride = args.blocks_stride;
  paged.window = args.window;
  paged.scale_log2 = args.scale * 1.44269504F;
  return paged;
}

/// What is wrong with the arguments of either launcher, or null.
template <typename Launch>
const char* paged_breach(const Launch& args) {
  const KvShape& shape = args.shape;
  if (args.num_sequences > kAttentionSequencesMax) return "attention: more sequences than kAttentionSequencesMax";
  if (args.num_heads % shape.num_kv_heads != 0 || shape.block_tokens % 8 != 0 ||
      args.q.cols != static_cast<int64_t>(args.num_heads) * shape.head_dim || args.out.cols != args.q.cols) {
    return "attention: heads, blocks or columns that do not fit together";
  }
  if (args.q.dtype != shape.dtype || args.out.dtype != shape.dtype || !rows_aligned(args.q, 16) ||
      !rows_aligned(args.out, 16)) {
    return "attention: q, cache and out of different dtypes, or rows not on 16 bytes";
  }
  return nullptr;
}

/// first_items[s] = items of the sequences before s; count(s) is how many s has. One warp.
template <typename Count>
SERAPH_DEVICE void count_items(const Shared<int32_t>& first_items, int32_t num_sequences, const Count& count) {
  int32_t before = 0;
  for (int begin = 0; begin < num_sequences; begin += 32) {
    const int sequence = begin + lane_id();
    const int32_t mine = sequence < num_sequences ? count(sequence) : 0;
    int32_t sum = mine;
#pragma unroll
    for (int delta = 1; delta < 32; delta *= 2) {
      const int32_t other = shuffle_up(sum, delta);
      if (lane_id() >= delta) sum += other;
    }
    if (sequence < num_sequences) first_items[sequence] = before + sum - mine;
    before += shuffle(sum, 31);
  }
  if (lane_id() == 0) first_items[num_sequences] = before;
}

/// The sequence that an item belongs to.
SERAPH_DEVICE int find_sequence(const Shared<int32_t>& first_items, int32_t num_sequences, int32_t item) {
  int low = 0;
  int high = num_sequences;  // first_items[low] <= item < first_items[high]
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    const int32_t begin = first_items[middle];
    if (begin <= item) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

/// A row of a tile is one head of one query row: packed = row * group + head of the group.
struct QueryRow {
  bool present;
  int32_t row;   // of the sequence's rows
  int32_t head;  // of all query heads
};
SERAPH_DEVICE QueryRow find_query_row(int32_t packed, int32_t group, int32_t kv_head, int32_t num_rows) {
  const int32_t row = packed / group;
  return {row < num_rows, row, kv_head * group + packed % group};
}

/// scores += Q K^T for 16 keys: two tiles of 8.
template <int kHeadDim, typename T>
SERAPH_DEVICE void multiply_keys(const Fragment<uint32_t, 4>* query, const Shared<T>& keys,
                                 Fragment<float, 4>* scores) {
  const int row = lane_id() / 16 * 8 + lane_id() % 8;
#pragma unroll
  for (int k = 0; k < kHeadDim / 16; ++k) {
    Fragment<uint32_t, 4> b;
    load_matrix<4>(b, keys, TileShape<kHeadDim>::at(row, k * 2 + lane_id() / 8 % 2));
    mma<T>(scores[0], query[k], slice<2>(b, 0));
    mma<T>(scores[1], query[k], slice<2>(b, 2));
  }
}

/// sums += P V for 16 keys.
template <int kHeadDim, typename T>
SERAPH_DEVICE void multiply_values(const Fragment<uint32_t, 4>& weights, const Shared<T>& values,
                                   Fragment<float, 4>* sums) {
#pragma unroll
  for (int piece = 0; piece < kHeadDim / 8; piece += 2) {
    Fragment<uint32_t, 4> b;
    load_matrix_transposed<4>(b, values, TileShape<kHeadDim>::at(lane_id() % 16, piece + lane_id() / 16));
    mma<T>(sums[piece], weights, slice<2>(b, 0));
    mma<T>(sums[piece + 1], weights, slice<2>(b, 2));
  }
}

template <typename T>
SERAPH_DEVICE Fragment<uint32_t, 4> pack_weights(const Fragment<float, 4>* tiles) {
  Fragment<uint32_t, 4> packed;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float lo = tiles[i / 2][i % 2 * 2];
    const float hi = tiles[i / 2][i % 2 * 2 + 1];
    packed[i] = pack_pair<T>(lo, hi);
  }
  return packed;
}

}  // namespace seraph::cuda

#endif
