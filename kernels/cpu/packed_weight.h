// Weights in the order in which linear() reads them: panels of 16 outputs (see kernels.h). Values are
// stored in the compute dtype's own 16 bits; a float32 model keeps the file's 16-bit values, which widen
// exactly, and so reads half the bytes. Different rows may be filled by different threads.
#pragma once

#include "kernels/backend.h"
#include "kernels/cpu/kernels.h"

namespace seraph::cpu {

class PackedWeight final : public Weight {
 public:
  PackedWeight(int64_t rows, int64_t cols, Element type, bool gate_up);

  int64_t rows() const override { return rows_; }
  int64_t cols() const override { return cols_; }
  int64_t bytes() const override { return buffer_.bytes(); }

  /// False when the memory is not there.
  bool allocate();
  /// Fills rows [row_begin, row_begin + source.rows) (outputs, in stacked order).
  void fill(const HostMatrix& source, int64_t row_begin);
  /// Rows [row_begin, row_end): each value depends on the seed and its place only.
  void fill_random(int64_t row_begin, int64_t row_end, float scale, uint64_t seed);

  bool gate_up() const { return gate_up_; }
  Element type() const { return type_; }
  const char* panels() const { return static_cast<const char*>(buffer_.data()); }
  int64_t panel_bytes() const { return panel_bytes_; }
  int64_t num_panels() const { return num_panels_; }

 private:
  /// Where row `row` lies: its panel and its lane in it.
  std::pair<int64_t, int64_t> place_of(int64_t row) const;

  const int64_t rows_;
  const int64_t cols_;
  const Element type_;
  const bool gate_up_;
  int64_t panel_bytes_ = 0;
  int64_t num_panels_ = 0;
  Buffer buffer_;
};

/// How a weight of file dtype `file` is stored when the model computes in `compute`.
Element stored_element(DType compute, DType file);

}  // namespace seraph::cpu
