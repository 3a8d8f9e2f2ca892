#include "kernels/cpu/lora_bank.h"

#include <cstring>

#include "kernels/cpu/check.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/narrow.h"

namespace seraph::cpu {
namespace {

Element element_of(DType dtype) {
  return dtype == DType::kF16 ? Element::kF16 : dtype == DType::kBf16 ? Element::kBf16 : Element::kF32;
}

float value_of(const HostMatrix& matrix, int64_t i) {
  if (matrix.dtype == DType::kF32) return static_cast<const float*>(matrix.data)[i];
  const uint16_t bits = static_cast<const uint16_t*>(matrix.data)[i];
  return matrix.dtype == DType::kF16 ? float_from_f16(bits) : float_from_bf16(bits);
}

}  // namespace

CpuLoraBank::CpuLoraBank(const LoraBankArgs& args)
    : rank_max_(args.rank_max), cols_(args.cols), type_(element_of(args.compute)) {
  SERAPH_CPU_CHECK(args.num_slots > 0 && args.rank_max > 0 && args.rank_max <= kLoraRankMax && args.cols > 0 &&
                       !args.part_rows.empty(),
                   "a bank has slots, a rank and parts");
  int64_t end = 0;
  for (const int64_t rows : args.part_rows) part_end_.push_back(end += rows);
  slots_.resize(static_cast<size_t>(args.num_slots) * part_end_.size());
  full_.resize(static_cast<size_t>(args.num_slots));
  slot_bytes_ = rank_max_ * (cols_ * num_parts() + end) * element_bytes();
}

bool CpuLoraBank::allocate() {
  buffer_ = allocate_memory(slot_bytes_ * num_slots());
  return buffer_.data() != nullptr;
}

void CpuLoraBank::convert(const HostMatrix& from, int64_t i, char* target, int64_t to) const {
  const float value = value_of(from, i);
  if (type_ == Element::kF32) {
    std::memcpy(target + to * 4, &value, 4);
    return;
  }
  const uint16_t bits = type_ == Element::kF16 ? f16_from_float(value) : bf16_from_float(value);
  std::memcpy(target + to * 2, &bits, 2);
}

void CpuLoraBank::write(int32_t slot, std::span<const LoraPart> parts) {
  SERAPH_CPU_CHECK(slot >= 0 && slot < num_slots(), "the slot is one of the bank's");
  full_[static_cast<size_t>(slot)] = !parts.empty();
  if (parts.empty()) return;
  SERAPH_CPU_CHECK(parts.size() == part_end_.size(), "an adapter has a part for each of the linear's");
  char* at = static_cast<char*>(buffer_.data()) + slot * slot_bytes_;
  int64_t begin = 0;
  for (size_t p = 0; p < parts.size(); ++p) {
    const LoraPart& part = parts[p];
    const int64_t rows = part_end_[p] - begin;
    const int64_t rank = part.a.data == nullptr ? 0 : part.a.rows;
    SERAPH_CPU_CHECK(rank <= rank_max_ && (rank == 0 || (part.a.cols == cols_ && part.b.rows == rows &&
                                                         part.b.cols == rank && part.b.data != nullptr)),
                     "an adapter's matrices fit the linear");
    char* b = at + rank_max_ * cols_ * element_bytes();
    for (int64_t i = 0; i < rank * cols_; ++i) convert(part.a, i, at, i);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t r = 0; r < rank; ++r) convert(part.b, row * rank + r, b, r * rows + row);
    }
    slots_[static_cast<size_t>(slot) * parts.size() + p] =
        LoraMatrices{rank == 0 ? nullptr : at, b, static_cast<int32_t>(rank), part.scale};
    at = b + rank_max_ * rows * element_bytes();
    begin = part_end_[p];
  }
}

const LoraMatrices* CpuLoraBank::slot(int32_t index) const {
  SERAPH_CPU_CHECK(index >= -1 && index < num_slots(), "a row's slot is one of the bank's, or none");
  if (index < 0 || !full_[static_cast<size_t>(index)]) return nullptr;
  return slots_.data() + static_cast<size_t>(index) * part_end_.size();
}

}  // namespace seraph::cpu
