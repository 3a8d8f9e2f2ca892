#include "kernels/cuda/attention_parts.h"
#include "kernels/cuda/attention_prefill.h"
#include "kernels/cuda/launch.h"

namespace seraph::cuda {
namespace {

/// Keys and values of a tile share the block's shared memory with the query rows before and the results after.
template <int kHeadDim>
struct Prefill {
  static constexpr int kWarps = kHeadDim > 128 ? 4 : 8;
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kRows = 16 * kWarps;
  static constexpr int kKeys = kHeadDim > 128 ? 32 : 64;
  static constexpr int kUnits = kKeys / 16;
  static constexpr int kRowElements = TileShape<kHeadDim>::kRowElements;
  static constexpr int kKeyElements = kKeys * kRowElements;
  static constexpr int kRowTileElements = kRows * kRowElements;
  static constexpr int kPoolElements = kRowTileElements > 2 * kKeyElements ? kRowTileElements : 2 * kKeyElements;
};

/// A tile of query rows of one sequence and KV head.
struct Item {
  int32_t sequence;
  int32_t kv_head;
  int32_t first_packed;
  int32_t num_rows;   // of the sequence
  int32_t first_row;  // of the sequence, in q
  int32_t context;
  int32_t first_key;  // that any row of the tile sees
  int32_t end_key;    // behind the last
};

template <int kHeadDim, typename T>
SERAPH_DEVICE int32_t tiles_of(const PagedArrays<T>& paged, int sequence) {
  const int32_t begin = paged.row_begin[sequence];
  const int32_t end = paged.row_begin[sequence + 1];
  return ((end - begin) * paged.group + Prefill<kHeadDim>::kRows - 1) / Prefill<kHeadDim>::kRows;
}

template <int kHeadDim, typename T>
SERAPH_DEVICE Item find_item(const PagedArrays<T>& paged, const Shared<int32_t>& first_items, int32_t number) {
  Item item;
  item.sequence = find_sequence(first_items, paged.num_sequences, number);
  const int32_t begin = first_items[item.sequence];
  const int32_t tiles = tiles_of<kHeadDim>(paged, item.sequence);
  // The last rows see the most keys: they come first, so that the blocks end together.
  const int32_t tile = tiles - 1 - (number - begin) / paged.num_kv_heads;
  item.kv_head = (number - begin) % paged.num_kv_heads;
  item.first_packed = tile * Prefill<kHeadDim>::kRows;
  item.first_row = paged.row_begin[item.sequence];
  const int32_t end_row = paged.row_begin[item.sequence + 1];
  item.num_rows = end_row - item.first_row;
  item.context = paged.context_tokens[item.sequence];
  const int32_t first_position = item.context - item.num_rows + item.first_packed / paged.group;
  const int32_t last = (item.first_packed + Prefill<kHeadDim>::kRows - 1) / paged.group;
  item.end_key = item.context - item.num_rows + (last < item.num_rows ? last + 1 : item.num_rows);
  const int32_t window_begin = first_position - paged.window + 1;
  item.first_key = paged.window > 0 && window_begin > 0 ? window_begin : 0;
  return item;
}

template <typename T>
SERAPH_DEVICE QueryRow query_row(const PagedArrays<T>& paged, const Item& item, int tile_row) {
  return find_query_row(item.first_packed + tile_row, paged.group, item.kv_head, item.num_rows);
}

/// Where a row of the tile begins in q (stride of q) or in out.
SERAPH_DEVICE int64_t row_at(const Item& item, const QueryRow& row, int64_t stride, int head_dim) {
  return (item.first_row + row.row) * stride + static_cast<int64_t>(row.head) * head_dim;
}

/// Copies the warp's 16 query rows and loads them as A operands. Collective.
template <int kHeadDim, typename T>
SERAPH_DEVICE void load_query(const PagedArrays<T>& paged, const Item& item, const Shared<T>& pool,
                              Fragment<uint32_t, 4>* q) {
  const Shared<T> mine = pool + warp_id() * 16 * Prefill<kHeadDim>::kRowElements;
#pragma unroll
  for (int step = 0; step < TileCopy<kHeadDim>::kSteps; ++step) {
    const TileCopy<kHeadDim> copy(step, lane_id());
    const QueryRow row = query_row(paged, item, warp_id() * 16 + copy.row);
    const int64_t from = row.present ? row_at(item, row, paged.q_stride, kHeadDim) : 0;
    copy_async<16>(mine, TileShape<kHeadDim>::at(copy.row, copy.piece), paged.q, from + copy.piece * kPieceElements,
                   row.present ? 16 : 0);
  }
  commit_async();
  wait_async<0>();
  sync_warp();
#pragma unroll
  for (int k = 0; k < kHeadDim / 16; ++k) {
    load_matrix<4>(q[k], mine, TileShape<kHeadDim>::at(lane_id() % 16, k * 2 + lane_id() / 16));
  }
}

/// Starts the copy of a tile of keys or values; the warps share the steps.
template <int kHeadDim, typename T>
SERAPH_DEVICE void copy_keys(const PagedArrays<T>& paged, const Item& item, int32_t tile_begin, bool values,
                             const Shared<T>& target) {
  constexpr int kSteps = TileCopy<kHeadDim>::kSteps;
  const int32_t plane = (values ? paged.num_kv_heads : 0) + item.kv_head;
  const int64_t head_begin = paged.layer_begin + static_cast<int64_t>(plane) * paged.block_tokens * kHeadDim;
  const int64_t table = static_cast<int64_t>(item.sequence) * paged.blocks_stride;
  for (int step = warp_id(); step < Prefill<kHeadDim>::kUnits * kSteps; step += Prefill<kHeadDim>::kWarps) {
    const TileCopy<kHeadDim> copy(step % kSteps, lane_id());
    const int32_t row = step / kSteps * 16 + copy.row;
    const int32_t key = tile_begin + row;
    const bool seen = key < item.end_key && key >= item.first_key;
    int64_t block = 0;
    if (seen) block = paged.block_tables[table + key / paged.block_tokens];
    const int64_t from = block * paged.block_elements + head_begin + key % paged.block_tokens * kHeadDim;
    copy_async<16>(target, TileShape<kHeadDim>::at(row, copy.piece), paged.cache, from + copy.piece * kPieceElements,
                   seen ? 16 : 0);
  }
  commit_async();
}

/// What a lane knows of its two rows (lane / 4 and that + 8) so far. The sums are of the lane's own keys.
struct Softmax {
  float largest[2];
  float sum[2];
  int32_t position[2];  // -1: no row
};

/// Scores of a tile become weights, sums of earlier tiles are scaled to the new largest score. Collective.
template <int kHeadDim, typename T>
SERAPH_DEVICE void weigh(const PagedArrays<T>& paged, int32_t tile_begin, Softmax& softmax, Fragment<float, 4>* scores,
                         Fragment<float, 4>* sums) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int32_t position = softmax.position[half];
    const int32_t first = paged.window > 0 ? position - paged.window + 1 : 0;
    float largest = softmax.largest[half];
#pragma unroll
    for (int tile = 0; tile < 2 * Prefill<kHeadDim>::kUnits; ++tile) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int32_t key = tile_begin + tile * 8 + lane_id() % 4 * 2 + i;
        const float score = scores[tile][2 * half + i];
        const float exponent = key <= position && key >= first ? score * paged.scale_log2 : kNothing;
        scores[tile][2 * half + i] = exponent;
        largest = fmaxf(largest, exponent);
      }
    }
    largest = fmaxf(largest, shuffle_xor(largest, 1));
    largest = fmaxf(largest, shuffle_xor(largest, 2));
    const float base = largest == kNothing ? 0.0F : largest;
    const float factor = exp2_fast(softmax.largest[half] - base);
    softmax.largest[half] = largest;
    float sum = softmax.sum[half] * factor;
#pragma unroll
    for (int tile = 0; tile < 2 * Prefill<kHeadDim>::kUnits; ++tile) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float exponent = scores[tile][2 * half + i];
        const float weight = exp2_fast(exponent - base);
        scores[tile][2 * half + i] = weight;
        sum += weight;
      }
    }
    softmax.sum[half] = sum;
#pragma unroll
    for (int piece = 0; piece < kHeadDim / 8; ++piece) {
      sums[piece][2 * half] *= factor;
      sums[piece][2 * half + 1] *= factor;
    }
  }
}

/// The keys that some row of the warp sees: [first, end).
struct KeyRange {
  int32_t first;
  int32_t end;
};
template <typename T>
SERAPH_DEVICE KeyRange warp_range(const PagedArrays<T>& paged, const Item& item) {
  const int32_t first_row = (item.first_packed + warp_id() * 16) / paged.group;
  if (first_row >= item.num_rows) return {0, 0};
  const int32_t last_row = (item.first_packed + warp_id() * 16 + 15) / paged.group;
  const int32_t before = item.context - item.num_rows;
  const int32_t window_begin = before + first_row - paged.window + 1;
  return {paged.window > 0 && window_begin > 0 ? window_begin : 0,
          before + (last_row < item.num_rows ? last_row + 1 : item.num_rows)};
}

/// All keys of the item, tile by tile: the values of a tile arrive while its scores are computed, the next keys while
/// its values are added. Collective over the block.
template <int kHeadDim, typename T>
SERAPH_DEVICE void attend(const PagedArrays<T>& paged, const Item& item, const Shared<T>& pool,
                          const Fragment<uint32_t, 4>* q, Softmax& softmax, Fragment<float, 4>* sums) {
  using Shape = Prefill<kHeadDim>;
  const Shared<T> keys = pool;
  const Shared<T> values = pool + Shape::kKeyElements;
  const KeyRange range = warp_range(paged, item);
  const int32_t first_tile = item.first_key / Shape::kKeys * Shape::kKeys;
  copy_keys<kHeadDim>(paged, item, first_tile, false, keys);
  for (int32_t tile = first_tile; tile < item.end_key; tile += Shape::kKeys) {
    wait_async<0>();
    sync_threads();  // the keys are here, the values before are used
    copy_keys<kHeadDim>(paged, item, tile, true, values);
    const bool sees = tile < range.end && tile + Shape::kKeys > range.first;
    Fragment<uint32_t, 4> weights[Shape::kUnits];
    if (sees) {
      Fragment<float, 4> scores[2 * Shape::kUnits];
#pragma unroll
      for (auto& part : scores) part.fill(0.0F);
#pragma unroll
      for (int unit = 0; unit < Shape::kUnits; ++unit) {
        multiply_keys<kHeadDim>(q, keys + unit * 16 * Shape::kRowElements, scores + 2 * unit);
      }
      weigh<kHeadDim>(paged, tile, softmax, scores, sums);
#pragma unroll
      for (int unit = 0; unit < Shape::kUnits; ++unit) weights[unit] = pack_weights<T>(scores + 2 * unit);
    }
    wait_async<0>();
    sync_threads();  // the values are here, the keys are used
    if (tile + Shape::kKeys < item.end_key) copy_keys<kHeadDim>(paged, item, tile + Shape::kKeys, false, keys);
    if (!sees) continue;
#pragma unroll
    for (int unit = 0; unit < Shape::kUnits; ++unit) {
      multiply_values<kHeadDim>(weights[unit], values + unit * 16 * Shape::kRowElements, sums);
    }
  }
}

/// Divides by the sums of weights and writes the warp's rows, through shared memory so that they leave in whole pieces.
template <int kHeadDim, typename T>
SERAPH_DEVICE void write_rows(const PagedArrays<T>& paged, const Item& item, const Shared<T>& pool,
                              const Softmax& softmax, const Fragment<float, 4>* sums) {
  const Shared<T> mine = pool + warp_id() * 16 * Prefill<kHeadDim>::kRowElements;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float sum = softmax.sum[half];
    sum += shuffle_xor(sum, 1);
    sum += shuffle_xor(sum, 2);
    const float divisor = softmax.position[half] >= 0 ? sum : 1.0F;
#pragma unroll
    for (int piece = 0; piece < kHeadDim / 8; ++piece) {
      const float lo = sums[piece][2 * half];
      const float hi = sums[piece][2 * half + 1];
      const Vec<uint32_t, 1> pair = {{pack_pair<T>(lo / divisor, hi / divisor)}};
      const int at = TileShape<kHeadDim>::at(lane_id() / 4 + 8 * half, piece);
      store(cast<uint32_t>(mine), at / 2 + lane_id() % 4, pair);
    }
  }
  sync_warp();
#pragma unroll
  for (int step = 0; step < TileCopy<kHeadDim>::kSteps; ++step) {
    const TileCopy<kHeadDim> copy(step, lane_id());
    const QueryRow row = query_row(paged, item, warp_id() * 16 + copy.row);
    if (!row.present) continue;
    const Vec<T, 8> piece = load<8>(mine, TileShape<kHeadDim>::at(copy.row, copy.piece));
    store(paged.out, row_at(item, row, paged.out_stride, kHeadDim) + copy.piece * kPieceElements, piece);
  }
}

template <int kHeadDim, typename T>
__global__ void __launch_bounds__(Prefill<kHeadDim>::kThreads, 1) prefill(PagedArrays<T> paged) {
  using Shape = Prefill<kHeadDim>;
  SERAPH_SHARED(int32_t, first_items, kAttentionSequencesMax + 1);
  const Shared<T> pool = dynamic_shared<T>(0, Shape::kPoolElements);
  if (warp_id() == 0) {
    count_items(first_items, paged.num_sequences,
                [&](int sequence) { return tiles_of<kHeadDim>(paged, sequence) * paged.num_kv_heads; });
  }
  sync_threads();
  const int32_t num_items = first_items[paged.num_sequences];
  for (int32_t number = static_cast<int32_t>(blockIdx.x); number < num_items; number += gridDim.x) {
    const Item item = find_item<kHeadDim>(paged, first_items, number);
    Fragment<uint32_t, 4> q[kHeadDim / 16];
    load_query<kHeadDim>(paged, item, pool, q);
    Softmax softmax;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const QueryRow row = query_row(paged, item, warp_id() * 16 + lane_id() / 4 + 8 * half);
      softmax.largest[half] = kNothing;
      softmax.sum[half] = 0.0F;
      softmax.position[half] = row.present ? item.context - item.num_rows + row.row : -1;
    }
    Fragment<float, 4> sums[kHeadDim / 8];
#pragma unroll
    for (auto& sum : sums) sum.fill(0.0F);
    sync_threads();  // all warps have their query rows: the pool is for keys and values
    attend<kHeadDim>(paged, item, pool, q, softmax, sums);
    sync_threads();  // and now for results
    write_rows<kHeadDim>(paged, item, pool, softmax, sums);
    sync_threads();
  }
}

template <int kHeadDim, typename T>
Status launch_prefill(const AttentionPrefillLaunch& args, Stream stream) {
  using Shape = Prefill<kHeadDim>;
  LaunchConfig config = {.name = "attention_prefill", .stream = stream};
  config.grid = {static_cast<uint32_t>(args.num_blocks_grid)};
  config.block = {Shape::kThreads};
  config.shared_bytes = Shape::kPoolElements * 2;
  // Block tables and the lists of rows are read as single words.
  config.budget.sectors_ratio_max = 2.0F;
  return launch(prefill<kHeadDim, T>, config, paged_arrays<T>(args));
}

template <typename T>
Status launch_for_head_dim(const AttentionPrefillLaunch& args, Stream stream) {
  switch (args.shape.head_dim) {
    case 64:
      return launch_prefill<64, T>(args, stream);
    case 80:
      return launch_prefill<80, T>(args, stream);
    case 96:
      return launch_prefill<96, T>(args, stream);
    case 128:
      return launch_prefill<128, T>(args, stream);
    case 256:
      return launch_prefill<256, T>(args, stream);
    default:
      return {kErrorInvalidValue, "attention_prefill: a head size other than 64, 80, 96, 128, 256"};
  }
}

}  // namespace

Status attention_prefill(const AttentionPrefillLaunch& args, Stream stream) {
  const char* breach = paged_breach(args);
  if (breach != nullptr) return {kErrorInvalidValue, breach};
  if (args.num_sequences == 0 || args.q.rows == 0) return {};
  if (args.shape.dtype == DType::kF16) return launch_for_head_dim<half_t>(args, stream);
  if (args.shape.dtype == DType::kBf16) return launch_for_head_dim<bf16_t>(args, stream);
  return {kErrorInvalidValue, "attention_prefill: a dtype other than f16 and bf16"};
}

}  // namespace seraph::cuda
