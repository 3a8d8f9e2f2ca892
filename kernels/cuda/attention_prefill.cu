#include "kernels/cuda/attention_parts.h"
#include "kernels/cuda/attention_prefill.h"
#include "kernels/cuda/launch.h"

namespace seraph::cuda {
namespace {

/// Keys and values of a tile share the block's shared memory with the query rows before and the results after.
template <int kHeadDim, typename Kv>
struct Prefill {
  static constexpr int kWarps = kHeadDim > 128 ? 4 : 8;
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kRows = 16 * kWarps;
  // The registers of large heads are full of results: their query rows stay in shared memory, beside fewer keys.
  static constexpr bool kQueryStays = kHeadDim > 128;
  static constexpr int kKeys = kQueryStays ? 16 : 64;
  static constexpr int kUnits = kKeys / 16;
  static constexpr int kRowElements = TileShape<kHeadDim>::kRowElements;
  static constexpr int kKvRowElements = KvTile<kHeadDim, Kv>::kRowElements;
  static constexpr int kKeyElements = kKeys * kKvRowElements;
  static constexpr int kRowTileElements = kRows * kRowElements;
  static constexpr int kKeysBegin = kQueryStays ? kRowTileElements : 0;
  static constexpr int kKeysEnd = kKeysBegin + 2 * kKeyElements;
  static constexpr int kPoolElements = kRowTileElements > kKeysEnd ? kRowTileElements : kKeysEnd;
  static constexpr int kQueryFragments = kQueryStays ? 1 : kHeadDim / 16;
  static constexpr int kScaleElements = kIsFp8<Kv> ? 2 * kKeys : 0;  // bf16, of the tile's keys and values
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

template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE int32_t tiles_of(const PagedArrays<T, Kv>& paged, int sequence) {
  const int32_t begin = paged.row_begin[sequence];
  const int32_t end = paged.row_begin[sequence + 1];
  return ((end - begin) * paged.group + Prefill<kHeadDim, Kv>::kRows - 1) / Prefill<kHeadDim, Kv>::kRows;
}

template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE Item find_item(const PagedArrays<T, Kv>& paged, const Shared<int32_t>& first_items, int32_t number) {
  Item item;
  item.sequence = find_sequence(first_items, paged.num_sequences, number);
  const int32_t begin = first_items[item.sequence];
  const int32_t tiles = tiles_of<kHeadDim>(paged, item.sequence);
  // The last rows see the most keys: they come first, so that the blocks end together.
  const int32_t tile = tiles - 1 - (number - begin) / paged.num_kv_heads;
  item.kv_head = (number - begin) % paged.num_kv_heads;
  item.first_packed = tile * Prefill<kHeadDim, Kv>::kRows;
  item.first_row = paged.row_begin[item.sequence];
  const int32_t end_row = paged.row_begin[item.sequence + 1];
  item.num_rows = end_row - item.first_row;
  item.context = paged.context_tokens[item.sequence];
  const int32_t first_position = item.context - item.num_rows + item.first_packed / paged.group;
  const int32_t last = (item.first_packed + Prefill<kHeadDim, Kv>::kRows - 1) / paged.group;
  item.end_key = item.context - item.num_rows + (last < item.num_rows ? last + 1 : item.num_rows);
  const int32_t window_begin = first_position - paged.window + 1;
  item.first_key = paged.window > 0 && window_begin > 0 ? window_begin : 0;
  return item;
}

template <typename T, typename Kv>
SERAPH_DEVICE QueryRow query_row(const PagedArrays<T, Kv>& paged, const Item& item, int tile_row) {
  return find_query_row(item.first_packed + tile_row, paged.group, item.kv_head, item.num_rows);
}

/// Where a row of the tile begins in q (stride of q) or in out.
SERAPH_DEVICE int64_t row_at(const Item& item, const QueryRow& row, int64_t stride, int head_dim) {
  return (item.first_row + row.row) * stride + static_cast<int64_t>(row.head) * head_dim;
}

/// The operand of columns 16 k on of the warp's query rows. Collective.
template <int kHeadDim, typename Kv, typename T>
SERAPH_DEVICE Fragment<uint32_t, 4> query_operand(const Shared<T>& rows, int k) {
  Fragment<uint32_t, 4> q;
  load_matrix<4>(q, rows, TileShape<kHeadDim>::at(lane_id() % 16, k * 2 + lane_id() / 16));
  if constexpr (kIsFp8<Kv>) permute_query(q);
  return q;
}

/// Copies the warp's 16 query rows and loads them as A operands. Collective.
template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE void load_query(const PagedArrays<T, Kv>& paged, const Item& item, const Shared<T>& pool,
                              Fragment<uint32_t, 4>* q) {
  const Shared<T> mine = pool + warp_id() * 16 * Prefill<kHeadDim, Kv>::kRowElements;
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
  if constexpr (!Prefill<kHeadDim, Kv>::kQueryStays) {
#pragma unroll
    for (int k = 0; k < kHeadDim / 16; ++k) q[k] = query_operand<kHeadDim, Kv>(mine, k);
  }
}

/// Where a key of the item lies: block * block_tokens + offset; -1 when no row of the tile sees it.
template <typename T, typename Kv>
SERAPH_DEVICE int32_t slot_of(const PagedArrays<T, Kv>& paged, const Item& item, int32_t key) {
  if (key >= item.end_key || key < item.first_key) return -1;
  const int64_t table = static_cast<int64_t>(item.sequence) * paged.blocks_stride;
  const int32_t block = paged.block_tables[table + key / paged.block_tokens];
  return block * paged.block_tokens + key % paged.block_tokens;
}

/// Starts the copy of a tile's scales of keys or values, two a lane. One warp.
template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE void copy_scales(const PagedArrays<T, Kv>& paged, const Item& item, int32_t tile_begin, int32_t plane,
                               const Shared<bf16_t>& target) {
  const int32_t pair = lane_id() * 2;
  if (pair >= Prefill<kHeadDim, Kv>::kKeys) return;
  const int32_t first = slot_of(paged, item, tile_begin + pair);
  const int32_t second = slot_of(paged, item, tile_begin + pair + 1);
  const int32_t slot = first >= 0 ? first : second >= 0 ? second - 1 : -1;
  const int64_t from = slot >= 0 ? scale_at(paged, slot, plane) : 0;
  copy_async<4>(target, pair, paged.scales, from, slot < 0 ? 0 : second < 0 ? 2 : 4);
}

/// Starts the copy of a tile of keys or values; the warps share the steps.
template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE void copy_keys(const PagedArrays<T, Kv>& paged, const Item& item, int32_t tile_begin, bool values,
                             const Shared<T>& target, const Shared<bf16_t>& scales) {
  using Shape = Prefill<kHeadDim, Kv>;
  using Copy = KvCopy<kHeadDim, Kv>;
  const int32_t plane = (values ? paged.num_kv_heads : 0) + item.kv_head;
  const int64_t head_begin = paged.layer_begin + static_cast<int64_t>(plane) * paged.block_tokens * kHeadDim;
  for (int step = warp_id(); step < Shape::kUnits * Copy::kSteps; step += Shape::kWarps) {
    const Copy copy(step % Copy::kSteps, lane_id());
    if (!copy.present) continue;
    const int32_t row = step / Copy::kSteps * 16 + copy.row;
    const int32_t slot = slot_of(paged, item, tile_begin + row);
    const int32_t known = slot < 0 ? 0 : slot;
    const int64_t from = known / paged.block_tokens * paged.block_elements + head_begin +
                         known % paged.block_tokens * kHeadDim + copy.piece * KvTile<kHeadDim, Kv>::kPieceColumns;
    copy_async<16>(target, KvTile<kHeadDim, Kv>::at(row, copy.piece), paged.cache, from, slot < 0 ? 0 : 16);
  }
  if constexpr (kIsFp8<Kv>) {
    if (warp_id() == Shape::kWarps - 1) {
      copy_scales<kHeadDim>(paged, item, tile_begin, plane, scales + (values ? Shape::kKeys : 0));
    }
  }
  commit_async();
}

/// Multiplies each column of the tiles by its key's (or value's) scale. What is 0 stays so: the scale of a token that
/// nobody sees any more may be anything.
template <int kUnits>
SERAPH_DEVICE void apply_scales(const Shared<bf16_t>& scales, float factor, Fragment<float, 4>* tiles) {
#pragma unroll
  for (int tile = 0; tile < 2 * kUnits; ++tile) {
    const Vec<bf16_t, 2> pair = load<2>(scales, tile * 8 + lane_id() % 4 * 2);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float scale = to_float(pair[i]) * factor;
      const float upper = tiles[tile][i];
      const float lower = tiles[tile][2 + i];
      tiles[tile][i] = upper == 0.0F ? 0.0F : upper * scale;
      tiles[tile][2 + i] = lower == 0.0F ? 0.0F : lower * scale;
    }
  }
}

/// What a lane knows of its two rows (lane / 4 and that + 8) so far. The sums are of the lane's own keys.
struct Softmax {
  float largest[2];
  float sum[2];
  int32_t position[2];  // -1: no row
};

/// Scores of a tile become weights, sums of earlier tiles are scaled to the new largest score. Collective.
template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE void weigh(const PagedArrays<T, Kv>& paged, int32_t tile_begin, Softmax& softmax,
                         Fragment<float, 4>* scores, Fragment<float, 4>* sums) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int32_t position = softmax.position[half];
    const int32_t first = paged.window > 0 ? position - paged.window + 1 : 0;
    float largest = softmax.largest[half];
#pragma unroll
    for (int tile = 0; tile < 2 * Prefill<kHeadDim, Kv>::kUnits; ++tile) {
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
    for (int tile = 0; tile < 2 * Prefill<kHeadDim, Kv>::kUnits; ++tile) {
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
template <typename T, typename Kv>
SERAPH_DEVICE KeyRange warp_range(const PagedArrays<T, Kv>& paged, const Item& item) {
  const int32_t first_row = (item.first_packed + warp_id() * 16) / paged.group;
  if (first_row >= item.num_rows) return {0, 0};
  const int32_t last_row = (item.first_packed + warp_id() * 16 + 15) / paged.group;
  const int32_t before = item.context - item.num_rows;
  const int32_t window_begin = before + first_row - paged.window + 1;
  return {paged.window > 0 && window_begin > 0 ? window_begin : 0,
          before + (last_row < item.num_rows ? last_row + 1 : item.num_rows)};
}

template <int kUnits, typename T>
SERAPH_DEVICE void pack_tiles(const Fragment<float, 4>* scores, Fragment<uint32_t, 4>* weights) {
#pragma unroll
  for (int unit = 0; unit < kUnits; ++unit) weights[unit] = pack_weights<T>(scores + 2 * unit);
}

/// All keys of the item, tile by tile: the values of a tile arrive while its scores are computed, the next keys while
/// its values are added. Collective over the block.
template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE void attend(const PagedArrays<T, Kv>& paged, const Item& item, const Shared<T>& pool,
                          const Shared<bf16_t>& scales, const Fragment<uint32_t, 4>* q, Softmax& softmax,
                          Fragment<float, 4>* sums) {
  using Shape = Prefill<kHeadDim, Kv>;
  const Shared<T> keys = pool + Shape::kKeysBegin;
  const Shared<T> values = keys + Shape::kKeyElements;
  const Shared<T> rows = pool + warp_id() * 16 * Shape::kRowElements;
  const auto query = [&](int k) {
    if constexpr (Shape::kQueryStays) {
      return query_operand<kHeadDim, Kv>(rows, k);
    } else {
      return q[k];
    }
  };
  const KeyRange range = warp_range(paged, item);
  const int32_t first_tile = item.first_key / Shape::kKeys * Shape::kKeys;
  copy_keys<kHeadDim>(paged, item, first_tile, false, keys, scales);
  for (int32_t tile = first_tile; tile < item.end_key; tile += Shape::kKeys) {
    wait_async<0>();
    sync_threads();  // the keys are here, the values before are used
    copy_keys<kHeadDim>(paged, item, tile, true, values, scales);
    const bool sees = tile < range.end && tile + Shape::kKeys > range.first;
    Fragment<uint32_t, 4> weights[Shape::kUnits];
    Fragment<float, 4> scores[2 * Shape::kUnits];
    if (sees) {
#pragma unroll
      for (auto& part : scores) part.fill(0.0F);
#pragma unroll
      for (int unit = 0; unit < Shape::kUnits; ++unit) {
        multiply_keys<kHeadDim, Kv>(query, keys + unit * 16 * Shape::kKvRowElements, scores + 2 * unit);
      }
      if constexpr (kIsFp8<Kv>) apply_scales<Shape::kUnits>(scales, 1.0F, scores);
      weigh<kHeadDim>(paged, tile, softmax, scores, sums);
      if constexpr (!kIsFp8<Kv>) pack_tiles<Shape::kUnits, T>(scores, weights);
    }
    wait_async<0>();
    sync_threads();  // the values are here, the keys are used
    if constexpr (kIsFp8<Kv>) {
      if (sees) {
        apply_scales<Shape::kUnits>(scales + Shape::kKeys, kWeightFactor<Kv>, scores);
        pack_tiles<Shape::kUnits, T>(scores, weights);
      }
    }
    if (tile + Shape::kKeys < item.end_key) {
      copy_keys<kHeadDim>(paged, item, tile + Shape::kKeys, false, keys, scales);
    }
    if (!sees) continue;
#pragma unroll
    for (int unit = 0; unit < Shape::kUnits; ++unit) {
      multiply_values<kHeadDim, Kv>(weights[unit], values + unit * 16 * Shape::kKvRowElements, sums);
    }
  }
}

/// A row of e4m3 sums to shared memory, its columns in order again.
template <int kHeadDim, typename T>
SERAPH_DEVICE void write_fp8_row(const Shared<T>& rows, int row, int half, float divisor,
                                 const Fragment<float, 4>* sums) {
#pragma unroll
  for (int pair = 0; pair < kHeadDim / 16; ++pair) {
    const Vec<float, 4> columns = kv_columns(sums, pair, half);
    const uint32_t first = pack_pair<T>(columns[0] / divisor, columns[1] / divisor);
    const uint32_t second = pack_pair<T>(columns[2] / divisor, columns[3] / divisor);
    const int at = TileShape<kHeadDim>::at(row, 2 * pair + lane_id() % 4 / 2) / 2 + lane_id() % 2 * 2;
    // Neighbouring rows share their pieces' banks: even ones write the first word while odd ones write the second.
    const bool odd = row % 2 != 0;
    store(cast<uint32_t>(rows), at + (odd ? 1 : 0), Vec<uint32_t, 1>{{odd ? second : first}});
    store(cast<uint32_t>(rows), at + (odd ? 0 : 1), Vec<uint32_t, 1>{{odd ? first : second}});
  }
}

/// Divides by the sums of weights and writes the warp's rows, through shared memory so that they leave in whole pieces.
template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE void write_rows(const PagedArrays<T, Kv>& paged, const Item& item, const Shared<T>& pool,
                              const Softmax& softmax, const Fragment<float, 4>* sums) {
  const Shared<T> mine = pool + warp_id() * 16 * Prefill<kHeadDim, Kv>::kRowElements;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float sum = softmax.sum[half];
    sum += shuffle_xor(sum, 1);
    sum += shuffle_xor(sum, 2);
    const float divisor = softmax.position[half] >= 0 ? sum * kWeightFactor<Kv> : 1.0F;
    if constexpr (kIsFp8<Kv>) {
      write_fp8_row<kHeadDim>(mine, lane_id() / 4 + 8 * half, half, divisor, sums);
    } else {
#pragma unroll
      for (int piece = 0; piece < kHeadDim / 8; ++piece) {
        const float lo = sums[piece][2 * half];
        const float hi = sums[piece][2 * half + 1];
        const Vec<uint32_t, 1> pair = {{pack_pair<T>(lo / divisor, hi / divisor)}};
        const int at = TileShape<kHeadDim>::at(lane_id() / 4 + 8 * half, piece);
        store(cast<uint32_t>(mine), at / 2 + lane_id() % 4, pair);
      }
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

template <int kHeadDim, typename T, typename Kv>
__global__ void __launch_bounds__(Prefill<kHeadDim, Kv>::kThreads, 1) prefill(PagedArrays<T, Kv> paged) {
  using Shape = Prefill<kHeadDim, Kv>;
  SERAPH_SHARED(int32_t, first_items, kAttentionSequencesMax + 1);
  const Shared<T> pool = dynamic_shared<T>(0, Shape::kPoolElements);
  const Shared<bf16_t> scales = dynamic_shared<bf16_t>(Shape::kPoolElements * 2, Shape::kScaleElements);
  if (warp_id() == 0) {
    count_items(first_items, paged.num_sequences,
                [&](int sequence) { return tiles_of<kHeadDim>(paged, sequence) * paged.num_kv_heads; });
  }
  sync_threads();
  const int32_t num_items = first_items[paged.num_sequences];
  for (int32_t number = static_cast<int32_t>(blockIdx.x); number < num_items; number += gridDim.x) {
    const Item item = find_item<kHeadDim>(paged, first_items, number);
    Fragment<uint32_t, 4> q[Shape::kQueryFragments];
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
    attend<kHeadDim>(paged, item, pool, scales, q, softmax, sums);
    sync_threads();  // and now for results
    write_rows<kHeadDim>(paged, item, pool, softmax, sums);
    sync_threads();
  }
}

template <int kHeadDim, typename T, typename Kv>
Status launch_prefill(const AttentionPrefillLaunch& args, Stream stream) {
  using Shape = Prefill<kHeadDim, Kv>;
  LaunchConfig config = {.name = "attention_prefill", .stream = stream};
  config.grid = {static_cast<uint32_t>(args.num_blocks_grid)};
  config.block = {Shape::kThreads};
  config.shared_bytes = (Shape::kPoolElements + Shape::kScaleElements) * 2;
  // Block tables and the lists of rows are read as single words.
  config.budget.sectors_ratio_max = 2.0F;
  return launch(prefill<kHeadDim, T, Kv>, config, paged_arrays<T, Kv>(args));
}

}  // namespace

Status attention_prefill(const AttentionPrefillLaunch& args, Stream stream) {
  const char* breach = paged_breach(args);
  if (breach != nullptr) return {kErrorInvalidValue, breach};
  if (args.num_sequences == 0 || args.q.rows == 0) return {};
  return with_attention_types(args.q.dtype, args.shape, [&]<int kHeadDim, typename T, typename Kv>() {
    return launch_prefill<kHeadDim, T, Kv>(args, stream);
  });
}

}  // namespace seraph::cuda
