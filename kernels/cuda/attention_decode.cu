#include "kernels/cuda/attention_decode.h"
#include "kernels/cuda/attention_parts.h"
#include "kernels/cuda/launch.h"

namespace seraph::cuda {
namespace {

constexpr int kRows = 16;      // query rows times heads of a tile: the m of mma
constexpr int kUnitKeys = 16;  // keys that a warp loads at a time
constexpr int kUnits = 4;      // of a warp in an item

/// The shape of the work for a head size. Shared memory stays below what every architecture gives a block.
template <int kHeadDim, typename Kv>
struct Decode {
  static constexpr int kWarps = kHeadDim > 128 ? 2 : 4;
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kSplitKeys = kWarps * kUnits * kUnitKeys;
  static constexpr int kStages = kHeadDim > 64 ? 3 : 4;
  static constexpr int kUnitElements = kUnitKeys * KvTile<kHeadDim, Kv>::kRowElements;
  static constexpr int kRingBytes = kWarps * kStages * kUnitElements * 2;
  // Floats; rows of a half warp (of e4m3, of a quarter) fall into different banks.
  static constexpr int kMergeStride = kIsFp8<Kv> ? kHeadDim + (kHeadDim % 32 == 0 ? 16 : 0) : kHeadDim + 8;
  static constexpr int kMergeBytes = kWarps * kRows * kMergeStride * 4;
  static constexpr int kPoolBytes = kRingBytes > kMergeBytes ? kRingBytes : kMergeBytes;
  static constexpr int kQueryBytes = kRows * TileShape<kHeadDim>::kRowElements * 2;
  static constexpr int kPartialFloats = kRows * kHeadDim;
};

template <typename T, typename Kv>
struct DecodeArgs {
  PagedArrays<T, Kv> paged;
  Global<const uint64_t> paths;  // of the rows, see AttentionDecodeLaunch
  bool has_paths;
  Global<float> partials;  // [items][16][head_dim]
  Global<float> states;    // [items][2][16]: the largest score, the sum of weights
  Global<uint32_t> counters;
};

/// What a sequence asks for.
struct SequenceWork {
  int32_t context;
  int32_t rows;
  int32_t first_key;  // of the first row's window
  int32_t first_split;
  int32_t num_splits;
  int32_t num_tiles;  // of 16 rows * heads; of a tree each row has its own
  bool tree;
};

template <int kSplitKeys, typename T, typename Kv>
SERAPH_DEVICE SequenceWork work_of(const DecodeArgs<T, Kv>& args, int sequence) {
  const PagedArrays<T, Kv>& paged = args.paged;
  SequenceWork work;
  const int32_t begin = paged.row_begin[sequence];
  const int32_t end = paged.row_begin[sequence + 1];
  work.context = paged.context_tokens[sequence];
  work.rows = end - begin;
  const int32_t before = work.context - work.rows - paged.window + 1;
  work.first_key = paged.window > 0 && before > 0 ? before : 0;
  work.first_split = work.first_key / kSplitKeys;
  work.num_splits = work.context > 0 ? (work.context - 1) / kSplitKeys + 1 - work.first_split : 0;
  work.tree = false;
  if (args.has_paths && work.rows > 1) {
    const uint64_t path = args.paths[begin];
    work.tree = path != 0;
  }
  work.num_tiles =
      work.tree ? work.rows * ((paged.group + kRows - 1) / kRows) : (work.rows * paged.group + kRows - 1) / kRows;
  return work;
}

/// One work item.
struct Item {
  SequenceWork work;
  int32_t number;
  int32_t sequence;
  int32_t first_row;  // of the sequence
  int32_t kv_head;
  int32_t first_packed;  // of the tile: row * group + head of the group
  int32_t split;         // from the first split on
  int32_t first_key;
  int32_t end_key;  // behind the last that any row of the tile sees
  int32_t before;   // tokens before the sequence's rows
  uint64_t path;    // of a tree's row, else 0
  int32_t row;      // of a tree
};

template <int kSplitKeys, typename T, typename Kv>
SERAPH_DEVICE Item find_item(const DecodeArgs<T, Kv>& args, const Shared<int32_t>& first_items, int32_t number) {
  const PagedArrays<T, Kv>& paged = args.paged;
  const int sequence = find_sequence(first_items, paged.num_sequences, number);
  Item item;
  item.work = work_of<kSplitKeys>(args, sequence);
  item.number = number;
  item.sequence = sequence;
  item.first_row = paged.row_begin[sequence];
  const int32_t begin = first_items[sequence];
  const int32_t tile = (number - begin) / item.work.num_splits;
  item.split = (number - begin) % item.work.num_splits;
  item.kv_head = tile / item.work.num_tiles;
  item.first_packed = tile % item.work.num_tiles * kRows;
  item.first_key = (item.work.first_split + item.split) * kSplitKeys;
  item.end_key = item.work.context;
  item.before = item.work.context - item.work.rows;
  item.path = 0;
  item.row = 0;
  if (item.work.tree) {
    const int32_t tiles_of_row = (paged.group + kRows - 1) / kRows;
    item.row = tile % item.work.num_tiles / tiles_of_row;
    item.first_packed = tile % tiles_of_row * kRows;
    item.path = args.paths[item.first_row + item.row];
    item.end_key = item.before + count_bits(item.path);
  }
  return item;
}

template <typename T, typename Kv>
SERAPH_DEVICE QueryRow query_row(const PagedArrays<T, Kv>& paged, const Item& item, int tile_row) {
  if (item.work.tree) {
    const int32_t packed = item.first_packed + tile_row;
    return {packed < paged.group, item.row, item.kv_head * paged.group + packed};
  }
  return find_query_row(item.first_packed + tile_row, paged.group, item.kv_head, item.work.rows);
}

template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE void copy_query(const PagedArrays<T, Kv>& paged, const Item& item, const Shared<T>& query) {
  using Shape = Decode<kHeadDim, Kv>;
  for (int step = warp_id(); step < TileCopy<kHeadDim>::kSteps; step += Shape::kWarps) {
    const TileCopy<kHeadDim> copy(step, lane_id());
    const QueryRow row = query_row(paged, item, copy.row);
    const int64_t from = row.present ? (item.first_row + row.row) * paged.q_stride + row.head * kHeadDim : 0;
    copy_async<16>(query, TileShape<kHeadDim>::at(copy.row, copy.piece), paged.q, from + copy.piece * kPieceElements,
                   row.present ? 16 : 0);
  }
  commit_async();
}

/// A warp's keys of an item, and where they lie. Key k of the warp's 64 (16 of each unit) belongs to lane k % 32.
struct WarpKeys {
  int32_t first_key;  // of unit 0
  int32_t unit_step;  // keys from one unit to the next
  int32_t num_units;  // that hold keys to see
  int32_t slots[2];   // of this lane's keys: block * block_tokens + offset; -1: nobody sees it
  float key_scales[2];
  float value_scales[2];
};

/// The token of a tree's path that stands `n` behind the context: the place of the n-th bit.
SERAPH_DEVICE int32_t place_of_bit(uint64_t path, int32_t n) {
  for (int32_t i = 0; i < n; ++i) path &= path - 1;
  return lowest_bit(path);
}

template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE WarpKeys warp_keys(const PagedArrays<T, Kv>& paged, const Item& item) {
  WarpKeys keys;
  keys.first_key = item.first_key + warp_id() * kUnitKeys;
  keys.unit_step = Decode<kHeadDim, Kv>::kWarps * kUnitKeys;
  const int32_t left = item.end_key - keys.first_key;
  const int32_t units = left > 0 ? (left + keys.unit_step - 1) / keys.unit_step : 0;
  keys.num_units = units < kUnits ? units : kUnits;
  const int64_t table = static_cast<int64_t>(item.sequence) * paged.blocks_stride;
  // Eight keys that begin at a multiple of eight share a block: one lane reads its number.
  const int32_t group_key = keys.first_key + lane_id() / 2 * keys.unit_step + lane_id() % 2 * 8;
  int32_t group_block = 0;
  if (lane_id() < 2 * kUnits && group_key < item.end_key && group_key + 8 > item.work.first_key) {
    group_block = paged.block_tables[table + group_key / paged.block_tokens];
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int32_t key = keys.first_key + (half * 2 + lane_id() / 16) * keys.unit_step + lane_id() % 16;
    int32_t token = key;
    int32_t block = shuffle(group_block, half * 4 + lane_id() / 8);
    const bool seen = key < item.end_key && key >= item.work.first_key;
    if (seen && item.path != 0 && key >= item.before) {
      token = item.before + place_of_bit(item.path, key - item.before);
      block = paged.block_tables[table + token / paged.block_tokens];
    }
    keys.slots[half] = seen ? block * paged.block_tokens + token % paged.block_tokens : -1;
    keys.key_scales[half] = 1.0F;
    keys.value_scales[half] = 1.0F;
    if constexpr (kIsFp8<Kv>) {
      if (seen) {
        const bf16_t key_scale = paged.scales[scale_at(paged, keys.slots[half], item.kv_head)];
        const bf16_t value_scale = paged.scales[scale_at(paged, keys.slots[half], paged.num_kv_heads + item.kv_head)];
        keys.key_scales[half] = to_float(key_scale);
        keys.value_scales[half] = to_float(value_scale) * kWeightFactor<Kv>;
      }
    }
  }
  return keys;
}

/// Starts the copy of 16 keys or values into `target`. Collective.
template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE void copy_unit(const PagedArrays<T, Kv>& paged, const Item& item, const WarpKeys& keys, int unit,
                             bool values, const Shared<T>& target) {
  using Copy = KvCopy<kHeadDim, Kv>;
  const int32_t plane = (values ? paged.num_kv_heads : 0) + item.kv_head;
  const int64_t head_begin = paged.layer_begin + static_cast<int64_t>(plane) * paged.block_tokens * kHeadDim;
#pragma unroll
  for (int step = 0; step < Copy::kSteps; ++step) {
    const Copy copy(step, lane_id());
    const int32_t mine = unit < 2 ? keys.slots[0] : keys.slots[1];  // no index: that would put them in local memory
    const int32_t slot = shuffle(mine, unit % 2 * 16 + copy.row);
    const int32_t known = slot < 0 ? 0 : slot;
    const int64_t from = known / paged.block_tokens * paged.block_elements + head_begin +
                         known % paged.block_tokens * kHeadDim + copy.piece * KvTile<kHeadDim, Kv>::kPieceColumns;
    if (copy.present) {
      copy_async<16>(target, KvTile<kHeadDim, Kv>::at(copy.row, copy.piece), paged.cache, from, slot < 0 ? 0 : 16);
    }
  }
}

/// What a lane knows of its two rows (lane / 4 and that + 8): the largest score and the sum of weights.
struct RowStates {
  float largest[2];
  float sum[2];
};

/// The scale of a lane's key `i` of a tile of 8. Collective.
SERAPH_DEVICE float scale_of(const float* scales, int tile, int i) {
  const int unit = tile / 2;
  return shuffle(scales[unit / 2], unit % 2 * 16 + tile % 2 * 8 + lane_id() % 4 * 2 + i);
}

/// Multiplies each column of the tiles by its key's (or value's) scale. Collective.
SERAPH_DEVICE void apply_scales(const float* scales, Fragment<float, 4>* tiles) {
#pragma unroll
  for (int tile = 0; tile < 2 * kUnits; ++tile) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float scale = scale_of(scales, tile, i);
      tiles[tile][i] *= scale;
      tiles[tile][2 + i] *= scale;
    }
  }
}

/// Turns scores into weights: masks, subtracts the row's largest, raises 2 to it. Collective.
template <typename T, typename Kv>
SERAPH_DEVICE RowStates weigh(const PagedArrays<T, Kv>& paged, const Item& item, const WarpKeys& keys,
                              Fragment<float, 4>* scores) {
  RowStates states;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const QueryRow row = query_row(paged, item, lane_id() / 4 + 8 * half);
    const int32_t position = item.work.tree ? item.end_key - 1 : item.before + row.row;
    const int32_t first = paged.window > 0 ? position - paged.window + 1 : 0;
    float largest = kNothing;
#pragma unroll
    for (int tile = 0; tile < 2 * kUnits; ++tile) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int32_t key = keys.first_key + tile / 2 * keys.unit_step + tile % 2 * 8 + lane_id() % 4 * 2 + i;
        const bool seen = row.present && key <= position && key >= first && tile / 2 < keys.num_units;
        const float score = scores[tile][2 * half + i];
        const float exponent = seen ? score * paged.scale_log2 : kNothing;
        scores[tile][2 * half + i] = exponent;
        largest = fmaxf(largest, exponent);
      }
    }
    largest = fmaxf(largest, shuffle_xor(largest, 1));
    largest = fmaxf(largest, shuffle_xor(largest, 2));
    const float base = largest == kNothing ? 0.0F : largest;
    float sum = 0.0F;
#pragma unroll
    for (int tile = 0; tile < 2 * kUnits; ++tile) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float exponent = scores[tile][2 * half + i];
        const float weight = exp2_fast(exponent - base);
        scores[tile][2 * half + i] = weight;
        sum += weight;
      }
    }
    sum += shuffle_xor(sum, 1);
    sum += shuffle_xor(sum, 2);
    states.largest[half] = largest;
    states.sum[half] = sum;
  }
  return states;
}

/// One warp's attention over its keys of the item. `ring` is the warp's own. Collective.
template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE RowStates attend(const PagedArrays<T, Kv>& paged, const Item& item, const Shared<T>& query,
                               const Shared<T>& ring, Fragment<float, 4>* sums) {
  using Shape = Decode<kHeadDim, Kv>;
  const WarpKeys keys = warp_keys<kHeadDim>(paged, item);
  const auto stage = [&](int load) { return ring + load % Shape::kStages * Shape::kUnitElements; };
  // Loads are numbered: the units' keys, then their values.
  const auto start = [&](int load) {
    if (load < 2 * keys.num_units) {
      const bool values = load >= keys.num_units;
      copy_unit<kHeadDim>(paged, item, keys, values ? load - keys.num_units : load, values, stage(load));
    }
    commit_async();
  };
  const auto arrive = [&](int load) {
    wait_async<Shape::kStages - 2>();
    sync_warp();  // all lanes have what they copied, and are done with the stage that is filled next
    start(load + Shape::kStages - 1);
  };
#pragma unroll
  for (int load = 0; load < Shape::kStages - 1; ++load) start(load);
  wait_async<Shape::kStages - 1>();  // the query, which was started first
  sync_threads();
  Fragment<uint32_t, 4> q[kHeadDim / 16];
#pragma unroll
  for (int k = 0; k < kHeadDim / 16; ++k) {
    load_matrix<4>(q[k], query, TileShape<kHeadDim>::at(lane_id() % 16, k * 2 + lane_id() / 16));
    if constexpr (kIsFp8<Kv>) permute_query(q[k]);
  }
  Fragment<float, 4> scores[2 * kUnits];
#pragma unroll
  for (auto& tile : scores) tile.fill(0.0F);
#pragma unroll
  for (int unit = 0; unit < kUnits; ++unit) {
    if (unit >= keys.num_units) continue;
    arrive(unit);
    multiply_keys<kHeadDim, Kv>([&](int k) { return q[k]; }, stage(unit), scores + 2 * unit);
  }
  if constexpr (kIsFp8<Kv>) apply_scales(keys.key_scales, scores);
  const RowStates states = weigh(paged, item, keys, scores);
  if constexpr (kIsFp8<Kv>) apply_scales(keys.value_scales, scores);
  Fragment<uint32_t, 4> weights[kUnits];  // half the registers of the scores, which end here
#pragma unroll
  for (int unit = 0; unit < kUnits; ++unit) weights[unit] = pack_weights<T>(scores + 2 * unit);
#pragma unroll
  for (int piece = 0; piece < kHeadDim / 8; ++piece) sums[piece].fill(0.0F);
#pragma unroll
  for (int unit = 0; unit < kUnits; ++unit) {
    if (unit >= keys.num_units) continue;
    arrive(keys.num_units + unit);
    multiply_values<kHeadDim, Kv>(weights[unit], stage(keys.num_units + unit), sums);
  }
  wait_async<0>();
  return states;
}

/// Sums of weighted values of four neighbouring columns, from several parts in their order.
struct Merged {
  float v[4];
  float largest;
  float sum;
};

/// `part(i)` is the state of part i, `columns(i)` its four columns.
template <typename Largest, typename Sum, typename Columns>
SERAPH_DEVICE Merged merge(int num_parts, const Largest& largest_of, const Sum& sum_of, const Columns& columns_of) {
  Merged merged = {{0.0F, 0.0F, 0.0F, 0.0F}, kNothing, 0.0F};
  for (int part = 0; part < num_parts; ++part) merged.largest = fmaxf(merged.largest, largest_of(part));
  const float base = merged.largest == kNothing ? 0.0F : merged.largest;
  for (int part = 0; part < num_parts; ++part) {
    const float factor = exp2_fast(largest_of(part) - base);
    merged.sum = fmaf(sum_of(part), factor, merged.sum);
    const Vec<float, 4> columns = columns_of(part);
#pragma unroll
    for (int i = 0; i < 4; ++i) merged.v[i] = fmaf(columns[i], factor, merged.v[i]);
  }
  return merged;
}

template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE void write_out(const DecodeArgs<T, Kv>& args, const Item& item, const QueryRow& row, int column,
                             const Merged& merged) {
  Vec<T, 4> values;
#pragma unroll
  for (int i = 0; i < 4; ++i) values[i] = from_float<T>(merged.v[i] / merged.sum);
  store(args.paged.out, (item.first_row + row.row) * args.paged.out_stride + row.head * kHeadDim + column, values);
}

/// The sums of the warps become one, and the result where the item is the row's only one.
template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE void merge_warps(const DecodeArgs<T, Kv>& args, const Item& item, const Shared<float>& sums,
                               const Shared<float>& states) {
  using Shape = Decode<kHeadDim, Kv>;
  for (int r = warp_id(); r < kRows; r += Shape::kWarps) {
    const QueryRow row = query_row(args.paged, item, r);
    if (!row.present) continue;
    for (int column = lane_id() * 4; column < kHeadDim; column += 128) {
      const Merged merged = merge(
          Shape::kWarps, [&](int warp) -> float { return states[warp * 2 * kRows + r]; },
          [&](int warp) -> float { return states[(warp * 2 + 1) * kRows + r]; },
          [&](int warp) { return load<4>(sums, (warp * kRows + r) * Shape::kMergeStride + column); });
      if (item.work.num_splits == 1) {
        write_out<kHeadDim>(args, item, row, column, merged);
        continue;
      }
      const Vec<float, 4> values = {{merged.v[0], merged.v[1], merged.v[2], merged.v[3]}};
      store(args.partials, static_cast<int64_t>(item.number) * Shape::kPartialFloats + r * kHeadDim + column, values);
      if (column == 0) {
        args.states[static_cast<int64_t>(item.number) * 2 * kRows + r] = merged.largest;
        args.states[(static_cast<int64_t>(item.number) * 2 + 1) * kRows + r] = merged.sum;
      }
    }
  }
}

/// All pieces of the item's rows are written: the result.
template <int kHeadDim, typename T, typename Kv>
SERAPH_DEVICE void merge_splits(const DecodeArgs<T, Kv>& args, const Item& item) {
  using Shape = Decode<kHeadDim, Kv>;
  const int64_t first = item.number - item.split;
  for (int r = warp_id(); r < kRows; r += Shape::kWarps) {
    const QueryRow row = query_row(args.paged, item, r);
    if (!row.present) continue;
    for (int column = lane_id() * 4; column < kHeadDim; column += 128) {
      const Merged merged = merge(
          item.work.num_splits, [&](int split) -> float { return args.states[(first + split) * 2 * kRows + r]; },
          [&](int split) -> float { return args.states[((first + split) * 2 + 1) * kRows + r]; },
          [&](int split) {
            return load<4>(args.partials, (first + split) * Shape::kPartialFloats + r * kHeadDim + column);
          });
      write_out<kHeadDim>(args, item, row, column, merged);
    }
  }
}

/// Puts a warp's sums and states where all warps can read them.
template <int kHeadDim, typename Kv>
SERAPH_DEVICE void share_sums(const Fragment<float, 4>* sums, const RowStates& mine, const Shared<float>& shared_sums,
                              const Shared<float>& states) {
  using Shape = Decode<kHeadDim, Kv>;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = lane_id() / 4 + 8 * half;
    if (lane_id() % 4 == 0) {
      states[warp_id() * 2 * kRows + row] = mine.largest[half];
      states[(warp_id() * 2 + 1) * kRows + row] = mine.sum[half];
    }
    const int begin = (warp_id() * kRows + row) * Shape::kMergeStride;
    if constexpr (kIsFp8<Kv>) {
#pragma unroll
      for (int pair = 0; pair < kHeadDim / 16; ++pair) {
        Vec<float, 4> columns = kv_columns(sums, pair, half);
#pragma unroll
        for (int i = 0; i < 4; ++i) columns[i] *= 1.0F / kWeightFactor<Kv>;
        store(shared_sums, begin + pair * 16 + lane_id() % 4 * 4, columns);
      }
    } else {
#pragma unroll
      for (int piece = 0; piece < kHeadDim / 8; ++piece) {
        const float lo = sums[piece][2 * half];
        const float hi = sums[piece][2 * half + 1];
        const Vec<float, 2> pair = {{lo, hi}};
        store(shared_sums, begin + piece * 8 + lane_id() % 4 * 2, pair);
      }
    }
  }
}

template <int kHeadDim, typename T, typename Kv>
__global__ void __launch_bounds__(Decode<kHeadDim, Kv>::kThreads, 2) decode(DecodeArgs<T, Kv> args) {
  using Shape = Decode<kHeadDim, Kv>;
  SERAPH_SHARED(int32_t, first_items, kAttentionSequencesMax + 1);
  SERAPH_SHARED(float, states, Shape::kWarps * 2 * kRows);
  SERAPH_SHARED(uint32_t, arrived, 1);
  const Shared<T> pool = dynamic_shared<T>(0, Shape::kRingBytes / 2);
  const Shared<float> shared_sums = dynamic_shared<float>(0, Shape::kMergeBytes / 4);
  const Shared<T> query = dynamic_shared<T>(Shape::kPoolBytes, Shape::kQueryBytes / 2);
  const Shared<T> ring = pool + warp_id() * Shape::kStages * Shape::kUnitElements;
  const PagedArrays<T, Kv>& paged = args.paged;
  if (warp_id() == 0) {
    count_items(first_items, paged.num_sequences, [&](int sequence) {
      const SequenceWork work = work_of<Shape::kSplitKeys>(args, sequence);
      return work.num_splits * work.num_tiles * paged.num_kv_heads;
    });
  }
  sync_threads();
  const int32_t num_items = first_items[paged.num_sequences];
  for (int32_t number = static_cast<int32_t>(blockIdx.x); number < num_items; number += gridDim.x) {
    const Item item = find_item<Shape::kSplitKeys>(args, first_items, number);
    copy_query<kHeadDim>(paged, item, query);
    Fragment<float, 4> sums[kHeadDim / 8];
    const RowStates mine = attend<kHeadDim>(paged, item, query, ring, sums);
    sync_threads();  // the pool changes its use
    share_sums<kHeadDim, Kv>(sums, mine, shared_sums, states);
    sync_threads();
    merge_warps<kHeadDim>(args, item, shared_sums, states);
    if (item.work.num_splits > 1) {
      const int64_t counter = number - item.split;
      thread_fence();
      sync_threads();
      if (threadIdx.x == 0) arrived[0] = atomic_add(args.counters, counter, 1U);
      sync_threads();
      const uint32_t before = arrived[0];
      if (before == static_cast<uint32_t>(item.work.num_splits - 1)) {
        thread_fence();
        merge_splits<kHeadDim>(args, item);
        if (threadIdx.x == 0) atomic_exchange(args.counters, counter, 0U);
      }
    }
    sync_threads();  // pool, query and states are free for the next item
  }
}

int64_t items_max(const KvShape& shape, int32_t num_heads, int32_t sequences_max, int32_t rows_max,
                  int32_t context_max) {
  const int32_t keys = attention_split_tokens(shape.head_dim);
  if (keys == 0) return 0;
  // A tree's row has tiles of its own.
  const int64_t tiles = int64_t{rows_max} * ((num_heads / shape.num_kv_heads + kRows - 1) / kRows);
  return static_cast<int64_t>(sequences_max) * shape.num_kv_heads * tiles * ((context_max + keys - 1) / keys + 1);
}

int64_t rounded_up(int64_t bytes) { return (bytes + 255) / 256 * 256; }

template <int kHeadDim, typename T, typename Kv>
Status launch_decode(const AttentionDecodeLaunch& args, Stream stream) {
  using Shape = Decode<kHeadDim, Kv>;
  // The workspace is cut as attention_decode_workspace() counts it.
  const int64_t item_bytes = (Shape::kPartialFloats + 2 * kRows) * 4 + 4;
  const int64_t items = (args.workspace_bytes - 512) / item_bytes;
  if (items <= 0) return {kErrorInvalidValue, "attention_decode: no workspace"};
  auto* begin = static_cast<char*>(args.workspace);
  DecodeArgs<T, Kv> decoded;
  decoded.has_paths = args.paths != nullptr;
  if (decoded.has_paths) decoded.paths = Global<const uint64_t>(args.paths, args.q.rows);
  decoded.counters = Global<uint32_t>(reinterpret_cast<uint32_t*>(begin), items);
  begin += rounded_up(items * 4);
  decoded.states = Global<float>(reinterpret_cast<float*>(begin), items * 2 * kRows);
  begin += items * 2 * kRows * 4;
  decoded.partials = Global<float>(reinterpret_cast<float*>(begin), items * Shape::kPartialFloats);
  decoded.paged = paged_arrays<T, Kv>(args);
  LaunchConfig config = {.name = "attention_decode", .stream = stream};
  config.grid = {static_cast<uint32_t>(args.num_blocks_grid)};
  config.block = {Shape::kThreads};
  config.shared_bytes = Shape::kPoolBytes + Shape::kQueryBytes;
  // Block tables and states are read as single words.
  config.budget.sectors_ratio_max = 2.0F;
  return launch(decode<kHeadDim, T, Kv>, config, decoded);
}

}  // namespace

int32_t attention_split_tokens(int32_t head_dim) {
  if (head_dim == 256) return Decode<256, half_t>::kSplitKeys;
  return head_dim == 64 || head_dim == 80 || head_dim == 96 || head_dim == 128 ? Decode<128, half_t>::kSplitKeys : 0;
}

AttentionWorkspace attention_decode_workspace(const KvShape& shape, int32_t num_heads, int32_t sequences_max,
                                              int32_t rows_max, int32_t context_max) {
  const int64_t items = items_max(shape, num_heads, sequences_max, rows_max, context_max);
  const int64_t item_bytes = (static_cast<int64_t>(kRows) * shape.head_dim + 2 * kRows) * 4 + 4;
  return {.bytes = items * item_bytes + 512, .counters_bytes = rounded_up(items * 4)};
}

Status attention_decode(const AttentionDecodeLaunch& args, Stream stream) {
  const char* breach = paged_breach(args);
  if (breach != nullptr) return {kErrorInvalidValue, breach};
  if (reinterpret_cast<uintptr_t>(args.workspace) % 256 != 0) {
    return {kErrorInvalidValue, "attention_decode: the workspace does not begin on 256 bytes"};
  }
  if (args.num_sequences == 0 || args.q.rows == 0) return {};
  return with_attention_types(args.q.dtype, args.shape, [&]<int kHeadDim, typename T, typename Kv>() {
    return launch_decode<kHeadDim, T, Kv>(args, stream);
  });
}

}  // namespace seraph::cuda
