// Tiles of 16-bit rows in shared memory, laid out so that neither the copies that fill them nor ldmatrix, straight or
// transposed, meet a bank conflict. A row is cut into pieces of 8 elements (16 bytes); row r keeps piece p at place
// p ^ (r % 8) of a row that is padded to a multiple of 8 pieces.
#pragma once

#include "kernels/cuda/ptx.h"

#ifdef SERAPH_DEVICE_CODE

namespace seraph::cuda {

constexpr int kPieceElements = 8;

template <int kCols>
struct TileShape {
  static_assert(kCols % 16 == 0);
  static constexpr int kPieces = kCols / kPieceElements;
  static constexpr int kRowPieces = (kPieces + 7) / 8 * 8;
  static constexpr int kRowElements = kRowPieces * kPieceElements;

  /// Where a piece begins, in elements.
  SERAPH_DEVICE static int at(int row, int piece) { return (row * kRowPieces + (piece ^ (row & 7))) * kPieceElements; }
};

/// Which piece a lane copies in each step of filling 16 rows with one warp: whole groups of 8 pieces of a row first,
/// then the rest, taken from rows whose places differ modulo 8.
template <int kCols>
struct TileCopy {
  static constexpr int kPieces = TileShape<kCols>::kPieces;
  static constexpr int kWhole = kPieces / 8 * 8;
  static constexpr int kRest = kPieces % 8;  // 0, 2, 4 or 6
  static_assert(kRest == 0 || kRest == 2 || kRest == 4);
  static constexpr int kWholeSteps = 16 * kWhole / 32;
  static constexpr int kSteps = kWholeSteps + 16 * kRest / 32;

  int row;
  int piece;
  SERAPH_DEVICE TileCopy(int step, int lane) {
    if (step < kWholeSteps) {
      const int index = step * 32 + lane;
      row = index / kWhole;
      piece = index % kWhole;
      return;
    }
    constexpr int kDivisor = kRest == 0 ? 1 : kRest;
    const int index = (step - kWholeSteps) * 32 + lane;
    const int group = index / 8;
    row = group / kDivisor * 8 + group % kDivisor + index % 8 / kDivisor * kDivisor;
    piece = kWhole + index % kDivisor;
  }
};

}  // namespace seraph::cuda

#endif
