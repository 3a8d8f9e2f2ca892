#include "kernels/cpu/packed_weight.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/cpu/check.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/narrow.h"

namespace seraph::cpu {
namespace {

int64_t element_bytes(Element type) { return type == Element::kF32 ? 4 : 2; }

/// One element of a file's row in the stored type's bits.
template <DType kFrom, Element kTo>
auto convert(const char* row, int64_t col) {
  if constexpr (kFrom == DType::kF32) {
    float value;
    std::memcpy(&value, row + col * 4, 4);
    if constexpr (kTo == Element::kF32) return value;
    if constexpr (kTo == Element::kBf16) return bf16_from_float(value);
    if constexpr (kTo == Element::kF16) return f16_from_float(value);
  } else {
    uint16_t bits;
    std::memcpy(&bits, row + col * 2, 2);
    if constexpr (kFrom == DType::kF16 && kTo == Element::kF16) return bits;
    if constexpr (kFrom == DType::kBf16 && kTo == Element::kBf16) return bits;
    const float value = kFrom == DType::kF16 ? float_from_f16(bits) : float_from_bf16(bits);
    if constexpr (kTo == Element::kF32) return value;
    if constexpr (kTo == Element::kBf16 && kFrom != DType::kBf16) return bf16_from_float(value);
    if constexpr (kTo == Element::kF16 && kFrom != DType::kF16) return f16_from_float(value);
  }
}

/// `lanes` rows of a file to neighbouring lanes of one panel. The panel is written front to back, so that
/// whole cache lines leave; the rows are as many streams for the prefetcher.
template <DType kFrom, Element kTo>
void fill_lanes(const char* rows, int64_t row_bytes, int64_t lanes, int64_t cols, char* panel, int64_t lane) {
  constexpr int64_t kGroup = kTo == Element::kBf16 ? 2 : 1;  // columns that lie together
  using Stored = decltype(convert<kFrom, kTo>(rows, 0));
  auto* out = reinterpret_cast<Stored*>(panel);
  const int64_t whole = cols / kGroup * kGroup;
  for (int64_t k = 0; k < whole; k += kGroup) {
    Stored* line = out + k * kPanelRows + lane * kGroup;
    for (int64_t l = 0; l < lanes; ++l) {
      for (int64_t i = 0; i < kGroup; ++i) line[l * kGroup + i] = convert<kFrom, kTo>(rows + l * row_bytes, k + i);
    }
  }
  for (int64_t l = 0; whole < cols && l < lanes; ++l) {
    out[whole * kPanelRows + (lane + l) * kGroup] = convert<kFrom, kTo>(rows + l * row_bytes, whole);
  }
}

template <Element kTo>
auto filler_from(DType from) {
  return from == DType::kF32   ? fill_lanes<DType::kF32, kTo>
         : from == DType::kF16 ? fill_lanes<DType::kF16, kTo>
                               : fill_lanes<DType::kBf16, kTo>;
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
  const auto fill_panel = type_ == Element::kF32   ? filler_from<Element::kF32>(source.dtype)
                          : type_ == Element::kF16 ? filler_from<Element::kF16>(source.dtype)
                                                   : filler_from<Element::kBf16>(source.dtype);
  for (int64_t r = 0; r < source.rows;) {
    const auto [panel, lane] = place_of(row_begin + r);
    const int64_t part_end = gate_up_ && row_begin + r < rows_ / 2 ? rows_ / 2 - row_begin : source.rows;
    const int64_t lanes = std::min({kPanelRows - lane, source.rows - r, part_end - r});
    fill_panel(static_cast<const char*>(source.data) + r * row_bytes, row_bytes, lanes, cols_,
               static_cast<char*>(buffer_.data()) + panel * panel_bytes_, lane);
    r += lanes;
  }
}

void PackedWeight::fill_random(int64_t row_begin, int64_t row_end, float scale, uint64_t seed) {
  // A row at a time through a buffer; only rows and columns that exist, so padding stays zero.
  std::vector<float> rows(static_cast<size_t>(kPanelRows * cols_));
  for (int64_t row = row_begin; row < row_end; row += kPanelRows) {
    const int64_t count = std::min(kPanelRows, row_end - row);
    for (int64_t i = 0; i < count * cols_; ++i) {
      const uint64_t word = mix(seed * 0xD1342543DE82EF95U + static_cast<uint64_t>(row * cols_ + i));
      rows[static_cast<size_t>(i)] = scale * (static_cast<float>(word >> 40) * 0x1p-23F - 1.0F);
    }
    fill({rows.data(), DType::kF32, count, cols_}, row);
  }
}

}  // namespace seraph::cpu
