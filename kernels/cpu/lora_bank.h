// The adapters of one linear in host memory, see LoraBank. Values are stored in the compute dtype.
#pragma once

#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/kernels.h"

namespace seraph::cpu {

class CpuLoraBank final : public LoraBank {
 public:
  explicit CpuLoraBank(const LoraBankArgs& args);

  int32_t num_slots() const override { return static_cast<int32_t>(slots_.size()) / num_parts(); }
  int32_t rank_max() const override { return rank_max_; }
  int64_t bytes() const override { return buffer_.bytes(); }

  /// False when the memory is not there.
  bool allocate();
  void write(int32_t slot, std::span<const LoraPart> parts);

  /// num_parts() matrices of a slot, or null when it is empty.
  const LoraMatrices* slot(int32_t index) const;
  int32_t num_parts() const { return static_cast<int32_t>(part_end_.size()); }
  const std::vector<int64_t>& part_end() const { return part_end_; }
  int64_t cols() const { return cols_; }
  Element type() const { return type_; }

 private:
  int64_t element_bytes() const { return type_ == Element::kF32 ? 4 : 2; }
  /// Element `i` of the file's matrix to element `to` of a slot's.
  void convert(const HostMatrix& from, int64_t i, char* target, int64_t to) const;

  const int32_t rank_max_;
  const int64_t cols_;
  const Element type_;
  std::vector<int64_t> part_end_;
  std::vector<LoraMatrices> slots_;  // [slots][parts]
  std::vector<bool> full_;           // [slots]
  int64_t slot_bytes_ = 0;
  Buffer buffer_;
};

}  // namespace seraph::cpu
