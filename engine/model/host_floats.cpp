#include "engine/model/host_floats.h"

#include <bit>
#include <cstdint>
#include <cstring>

namespace seraph {
namespace {

float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16;
  const uint32_t exponent = half >> 10 & 0x1FU;
  const uint32_t fraction = half & 0x3FFU;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000U | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24F;  // zero or subnormal
  return sign != 0 ? -magnitude : magnitude;
}

}  // namespace

void append_floats(const HostMatrix& matrix, std::vector<float>& out) {
  const auto count = static_cast<size_t>(matrix.rows * matrix.cols);
  const auto* halves = static_cast<const uint16_t*>(matrix.data);
  const size_t begin = out.size();
  out.resize(begin + count);
  if (matrix.dtype == DType::kF32) std::memcpy(out.data() + begin, matrix.data, count * sizeof(float));
  if (matrix.dtype == DType::kBf16) {
    for (size_t i = 0; i < count; ++i) out[begin + i] = std::bit_cast<float>(static_cast<uint32_t>(halves[i]) << 16);
  }
  if (matrix.dtype == DType::kF16) {
    for (size_t i = 0; i < count; ++i) out[begin + i] = half_to_float(halves[i]);
  }
}

}  // namespace seraph
