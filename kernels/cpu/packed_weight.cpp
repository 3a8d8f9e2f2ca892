#include "kernels/cpu/packed_weight.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/check.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/narrow.h"

namespace seraph::cpu {
namespace {

int64_t element_bytes(Element type) { return type == Element::kF32 ? 4 : 2; }

/// One element of a file's row in the stored type's bits.
uint32_t convert(const char* row, DType from, int64_t col, Element to) {
  if (from == DType::kF32) {
    float value;
    std::memcpy(&value, row + col * 4, 4);
    if (to == Element::kF32) return float_bits(value);
    return to == Element::kBf16 ? bf16_from_float(value) : f16_from_float(value);
  }
  uint16_t bits;
  std::memcpy(&bits, row + col * 2, 2);
  const bool same = (from == DType::kF16) == (to == Element::kF16) && to != Element::kF32;
  if (same) return bits;
  const float value = from == DType::kF16 ? float_from_f16(bits) : float_from_bf16(bits);
  if (to == Element::kF32) return float_bits(value);
  return to == Element::kBf16 ? bf16_from_float(value) : f16_from_float(value);
}

/// SplitMix64 (Steele et al. 2014): one 64-bit number per index, in any order.
uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

}  // namespace

Element stored_element(DType compute, DType file) {
  const DType dtype = compute == DType::kF32 ? file : compute;
  return dtype == DType::kF16 ? Element::kF16 : dtype == DType::kBf16 ? Element::kBf16 : Element::kF32;
}

PackedWeight::PackedWeight(int64_t rows, int64_t cols, Element type, bool gate_up)
    : rows_(rows), cols_(cols), type_(type), gate_up_(gate_up) {
  const int64_t half_panels = (rows / 2 + kPanelRows - 1) / kPanelRows;
  num_panels_ = gate_up ? 2 * half_panels : (rows + kPanelRows - 1) / kPanelRows;
  const int64_t stored_cols = type == Element::kBf16 ? (cols + 1) / 2 * 2 : cols;
  const int64_t bytes = stored_cols * kPanelRows * element_bytes(type);
  panel_bytes_ = (bytes + 63) / 64 * 64;
}

bool PackedWeight::allocate() {
  buffer_ = allocate_memory(num_panels_ * panel_bytes_);
  return buffer_.data() != nullptr;
}

std::pair<int64_t, int64_t> PackedWeight::place_of(int64_t row) const {
  if (!gate_up_) return {row / kPanelRows, row % kPanelRows};
  const int64_t half = rows_ / 2;
  const int64_t inner = row % half;
  return {inner / kPanelRows * 2 + row / half, inner % kPanelRows};
}

void PackedWeight::fill(const HostMatrix& source, int64_t row_begin) {
  SERAPH_CPU_CHECK(source.cols == cols_ && row_begin + source.rows <= rows_, "parts of a weight have its width");
  const int64_t row_bytes = cols_ * dtype_bytes(source.dtype);
  char* panels = static_cast<char*>(buffer_.data());
  for (int64_t r = 0; r < source.rows; ++r) {
    const char* row = static_cast<const char*>(source.data) + r * row_bytes;
    const auto [panel, lane] = place_of(row_begin + r);
    char* out = panels + panel * panel_bytes_;
    for (int64_t k = 0; k < cols_; ++k) {
      const uint32_t bits = convert(row, source.dtype, k, type_);
      if (type_ == Element::kF32) {
        reinterpret_cast<uint32_t*>(out)[k * kPanelRows + lane] = bits;
      } else {
        const int64_t at = type_ == Element::kBf16 ? (k / 2 * kPanelRows + lane) * 2 + k % 2 : k * kPanelRows + lane;
        reinterpret_cast<uint16_t*>(out)[at] = static_cast<uint16_t>(bits);
      }
    }
  }
}

void PackedWeight::fill_random(int64_t row_begin, int64_t row_end, float scale, uint64_t seed) {
  // Only rows and columns that exist: padding stays zero.
  for (int64_t row = row_begin; row < row_end; ++row) {
    const auto [panel, lane] = place_of(row);
    char* out = static_cast<char*>(buffer_.data()) + panel * panel_bytes_;
    for (int64_t k = 0; k < cols_; ++k) {
      const uint64_t word = mix(seed ^ mix(static_cast<uint64_t>(row * cols_ + k)));
      const float value = scale * (static_cast<float>(word >> 40) * 0x1p-23F - 1.0F);
      if (type_ == Element::kF32) {
        reinterpret_cast<float*>(out)[k * kPanelRows + lane] = value;
      } else if (type_ == Element::kF16) {
        reinterpret_cast<uint16_t*>(out)[k * kPanelRows + lane] = f16_from_float(value);
      } else {
        reinterpret_cast<uint16_t*>(out)[(k / 2 * kPanelRows + lane) * 2 + k % 2] = bf16_from_float(value);
      }
    }
  }
}

}  // namespace seraph::cpu
