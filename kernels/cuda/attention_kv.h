// Keys and values in shared memory, as 16-bit numbers or as e4m3, and their products with one warp's 16 rows.
//
// e4m3 bytes move through ldmatrix two at a time, as if they were 16-bit numbers, and are widened in registers, which
// is exact in both 16-bit formats. What a lane then holds is every second column of four: query operands and results
// are permuted to match (permute_query, kv_columns). The scales never touch the bytes: a score is multiplied by its
// key's scale, a weight by its value's.
#pragma once

#include "kernels/cuda/tile.h"

#ifdef SERAPH_DEVICE_CODE

namespace seraph::cuda {

/// Rows of keys or values in shared memory that is counted in 16-bit places; swizzled as in TileShape.
template <int kHeadDim, typename Kv>
struct KvTile {
  static constexpr int kPieceColumns = 16 / static_cast<int>(sizeof(Kv));
  static constexpr int kPieces = kHeadDim / kPieceColumns;
  static constexpr int kRowPieces = (kPieces + 7) / 8 * 8;
  static constexpr int kRowElements = kRowPieces * kPieceElements;
  SERAPH_DEVICE static int at(int row, int piece) { return (row * kRowPieces + (piece ^ (row & 7))) * kPieceElements; }
};

/// Which piece a lane copies in each step of filling 16 rows with one warp.
template <int kHeadDim, typename Kv>
struct KvCopy : TileCopy<kHeadDim> {
  static constexpr bool present = true;
  using TileCopy<kHeadDim>::TileCopy;
};
/// Eight rows of a piece by eight lanes: their places differ modulo 8 whatever the number of pieces.
template <int kHeadDim>
struct KvCopy<kHeadDim, fp8_t> {
  static constexpr int kPieces = kHeadDim / 16;
  static constexpr int kSteps = (16 * kPieces + 31) / 32;

  bool present;
  int row;
  int piece;
  SERAPH_DEVICE KvCopy(int step, int lane) {
    const int index = step * 32 + lane;
    present = index < 16 * kPieces;
    row = index / (8 * kPieces) % 2 * 8 + index % 8;
    piece = index / 8 % kPieces;
  }
};

/// The even (0) or odd (1) bytes of a register as two numbers of T.
template <typename T>
SERAPH_DEVICE uint32_t widen_bytes(uint32_t bytes, int odd) {
  constexpr bool kHalf = __is_same(T, half_t);
  constexpr uint32_t kMagnitude = kHalf ? 0x3F803F80U : 0x07F007F0U;
  constexpr uint32_t kFactor = kHalf ? 0x5C005C00U : 0x7B807B80U;  // 2^8, 2^120: the difference of the biases
  const uint32_t even_magnitude = bytes << (kHalf ? 7 : 4);
  const uint32_t odd_magnitude = bytes >> (kHalf ? 1 : 4);
  const uint32_t magnitude = (odd != 0 ? odd_magnitude : even_magnitude) & kMagnitude;
  const uint32_t sign = (odd != 0 ? bytes : bytes << 8) & 0x80008000U;
  return fma_pair<T>(magnitude | sign, kFactor, 0x80008000U);
}

template <typename T>
SERAPH_DEVICE Fragment<uint32_t, 2> widen_fragment(uint32_t bytes) {
  Fragment<uint32_t, 2> wide;
  wide[0] = widen_bytes<T>(bytes, 0);
  wide[1] = widen_bytes<T>(bytes, 1);
  return wide;
}

/// From the columns 2q, 2q + 1, 8 + 2q, 8 + 2q + 1 that ldmatrix gives a lane to 4q, 4q + 2, 4q + 1, 4q + 3.
/// Collective.
SERAPH_DEVICE void permute_query(Fragment<uint32_t, 4>& query) {
  const int q = lane_id() % 4;
  const int first = lane_id() / 4 * 4 + q % 2 * 2;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const uint32_t low = query[half];
    const uint32_t high = query[half + 2];
    const uint32_t low_first = shuffle(low, first);
    const uint32_t low_second = shuffle(low, first + 1);
    const uint32_t high_first = shuffle(high, first);
    const uint32_t high_second = shuffle(high, first + 1);
    const uint32_t pair = q < 2 ? low_first : high_first;
    const uint32_t next = q < 2 ? low_second : high_second;
    query[half] = select_bytes(pair, next, 0x5410);
    query[half + 2] = select_bytes(pair, next, 0x7632);
  }
}

/// scores += Q K^T for 16 keys: two tiles of 8. `query(k)` is the operand of columns 16 k on.
template <int kHeadDim, typename Kv, typename Query, typename T>
SERAPH_DEVICE void multiply_keys(const Query& query, const Shared<T>& keys, Fragment<float, 4>* scores) {
  using Tile = KvTile<kHeadDim, Kv>;
  const int row = lane_id() / 16 * 8 + lane_id() % 8;
#pragma unroll
  for (int piece = 0; piece + 1 < Tile::kPieces; piece += 2) {
    Fragment<uint32_t, 4> b;
    load_matrix<4>(b, keys, Tile::at(row, piece + lane_id() / 8 % 2));
    if constexpr (kIsFp8<Kv>) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const Fragment<uint32_t, 4> q = query(piece + i);
        const uint32_t first = b[i];
        const uint32_t second = b[i + 2];
        mma<T>(scores[0], q, widen_fragment<T>(first));
        mma<T>(scores[1], q, widen_fragment<T>(second));
      }
    } else {
      const Fragment<uint32_t, 4> q = query(piece / 2);
      mma<T>(scores[0], q, slice<2>(b, 0));
      mma<T>(scores[1], q, slice<2>(b, 2));
    }
  }
  if constexpr (Tile::kPieces % 2 == 1) {
    Fragment<uint32_t, 2> b;
    load_matrix<2>(b, keys, Tile::at(lane_id() % 16, Tile::kPieces - 1));
    const uint32_t first = b[0];
    const uint32_t second = b[1];
    const Fragment<uint32_t, 4> q = query(Tile::kPieces - 1);
    mma<T>(scores[0], q, widen_fragment<T>(first));
    mma<T>(scores[1], q, widen_fragment<T>(second));
  }
}

/// sums[0], sums[1] += P V for a piece of 16 e4m3 columns: the even ones, the odd ones.
template <typename T>
SERAPH_DEVICE void multiply_fp8_piece(const Fragment<uint32_t, 4>& weights, uint32_t low, uint32_t high,
                                      Fragment<float, 4>* sums) {
#pragma unroll
  for (int odd = 0; odd < 2; ++odd) {
    Fragment<uint32_t, 2> b;
    b[0] = widen_bytes<T>(low, odd);
    b[1] = widen_bytes<T>(high, odd);
    mma<T>(sums[odd], weights, b);
  }
}

/// sums += P V for 16 keys. Of e4m3 the columns are permuted, see kv_columns.
template <int kHeadDim, typename Kv, typename T>
SERAPH_DEVICE void multiply_values(const Fragment<uint32_t, 4>& weights, const Shared<T>& values,
                                   Fragment<float, 4>* sums) {
  using Tile = KvTile<kHeadDim, Kv>;
#pragma unroll
  for (int piece = 0; piece + 1 < Tile::kPieces; piece += 2) {
    Fragment<uint32_t, 4> b;
    load_matrix_transposed<4>(b, values, Tile::at(lane_id() % 16, piece + lane_id() / 16));
    if constexpr (kIsFp8<Kv>) {
      const uint32_t parts[4] = {b[0], b[1], b[2], b[3]};
      multiply_fp8_piece<T>(weights, parts[0], parts[1], sums + 2 * piece);
      multiply_fp8_piece<T>(weights, parts[2], parts[3], sums + 2 * piece + 2);
    } else {
      mma<T>(sums[piece], weights, slice<2>(b, 0));
      mma<T>(sums[piece + 1], weights, slice<2>(b, 2));
    }
  }
  if constexpr (Tile::kPieces % 2 == 1) {
    Fragment<uint32_t, 2> b;
    load_matrix_transposed<2>(b, values, Tile::at(lane_id() % 16, Tile::kPieces - 1));
    const uint32_t low = b[0];
    const uint32_t high = b[1];
    multiply_fp8_piece<T>(weights, low, high, sums + 2 * (Tile::kPieces - 1));
  }
}

/// Four neighbouring columns that a lane holds of tiles 2 `pair` and 2 `pair` + 1 of e4m3 sums, for its row of `half`:
/// they are columns 16 pair + 4 (lane % 4) on.
SERAPH_DEVICE Vec<float, 4> kv_columns(const Fragment<float, 4>* sums, int pair, int half) {
  const float a = sums[2 * pair][2 * half];
  const float b = sums[2 * pair + 1][2 * half];
  const float c = sums[2 * pair][2 * half + 1];
  const float d = sums[2 * pair + 1][2 * half + 1];
  return {{a, b, c, d}};
}

/// Weights of e4m3 values travel to the product multiplied by this, so that those of small values are no subnormal
/// halves; results are divided by it.
template <typename Kv>
constexpr float kWeightFactor = kIsFp8<Kv> ? 256.0F : 1.0F;

}  // namespace seraph::cuda

#endif
