// What the attention kernels share: the batch as they see it, and how query rows of a KV head's group are packed into
// the rows of a tile.
#pragma once

#include "kernels/cuda/attention_decode.h"
#include "kernels/cuda/attention_kv.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/tile.h"

#ifdef SERAPH_DEVICE_CODE

namespace seraph::cuda {

constexpr float kNothing = -INFINITY;

template <typename T, typename CacheElement>
struct PagedArrays {
  using Kv = CacheElement;
  Global<const T> q;
  Global<T> out;
  Global<const Kv> cache;
  Global<const bf16_t> scales;  // the cache once more, for e4m3
  Global<const int32_t> row_begin;
  Global<const int32_t> context_tokens;
  Global<const int32_t> block_tables;
  int64_t q_stride;
  int64_t out_stride;
  int64_t block_elements;
  int64_t layer_begin;
  int64_t layer_scales;  // where a layer's scales begin behind its keys and values, in scales
  int32_t num_sequences;
  int32_t num_kv_heads;
  int32_t group;  // query heads of a KV head
  int32_t block_tokens;
  int32_t blocks_stride;
  int32_t window;
  float scale_log2;  // scores become exponents of two
};

/// Calls function.operator()<kHeadDim, T, Kv>() with the head size and the elements of queries and cache.
template <typename T, typename Kv, typename Function>
Status with_head_dim(int32_t head_dim, const Function& function) {
  switch (head_dim) {
    case 64:
      return function.template operator()<64, T, Kv>();
    case 80:
      return function.template operator()<80, T, Kv>();
    case 96:
      return function.template operator()<96, T, Kv>();
    case 128:
      return function.template operator()<128, T, Kv>();
    case 256:
      return function.template operator()<256, T, Kv>();
    default:
      return {kErrorInvalidValue, "attention: a head size other than 64, 80, 96, 128, 256"};
  }
}

template <typename T, typename Function>
Status with_cache_type(const KvShape& shape, const Function& function) {
  return shape.dtype == DType::kF8E4m3 ? with_head_dim<T, fp8_t>(shape.head_dim, function)
                                       : with_head_dim<T, T>(shape.head_dim, function);
}

template <typename Function>
Status with_attention_types(DType queries, const KvShape& shape, const Function& function) {
  if (queries == DType::kF16) return with_cache_type<half_t>(shape, function);
  if (queries == DType::kBf16) return with_cache_type<bf16_t>(shape, function);
  return {kErrorInvalidValue, "attention: a dtype other than f16 and bf16"};
}

/// From the arguments of either launcher.
template <typename T, typename Kv, typename Launch>
PagedArrays<T, Kv> paged_arrays(const Launch& args) {
  const KvShape& shape = args.shape;
  const int64_t layer_elements = kv_layer_bytes(shape) / static_cast<int64_t>(sizeof(Kv));
  PagedArrays<T, Kv> paged;
  paged.q = elements_of<const T>(args.q);
  paged.out = elements_of<T>(args.out);
  paged.block_elements = layer_elements * shape.num_layers;
  paged.layer_begin = layer_elements * args.layer;
  paged.cache = Global<const Kv>(static_cast<const Kv*>(args.cache), paged.block_elements * args.num_blocks);
  if (kIsFp8<Kv>) {
    paged.scales =
        Global<const bf16_t>(static_cast<const bf16_t*>(args.cache), paged.block_elements * args.num_blocks / 2);
  }
  paged.layer_scales = int64_t{shape.num_kv_heads} * shape.block_tokens * shape.head_dim;
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
  const bool fits = args.q.dtype == shape.dtype || shape.dtype == DType::kF8E4m3;
  if (!fits || args.out.dtype != args.q.dtype || !rows_aligned(args.q, 16) || !rows_aligned(args.out, 16)) {
    return "attention: q, cache and out of different dtypes, or rows not on 16 bytes";
  }
  return nullptr;
}

/// Where the scale of a key or value lies; `plane` counts key heads, then value heads.
template <typename T, typename Kv>
SERAPH_DEVICE int64_t scale_at(const PagedArrays<T, Kv>& paged, int32_t slot, int32_t plane) {
  return (slot / paged.block_tokens * paged.block_elements + paged.layer_begin) / 2 + paged.layer_scales +
         plane * paged.block_tokens + slot % paged.block_tokens;
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
