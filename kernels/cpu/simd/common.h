// What both vector widths share: sums across lanes in one fixed order, exp, typed loads and stores.
// Included by instances only.
#pragma once

#include "kernels/cpu/kernels.h"
#if SERAPH_ISA_AVX512
#include "kernels/cpu/simd/avx512.h"
#else
#include "kernels/cpu/simd/avx2.h"
#endif

namespace seraph::cpu::SERAPH_ISA {

inline float sum_lanes(F32 x) {
  const __m256 eight = _mm256_add_ps(lower(x), upper(x));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float max_lanes(F32 x) {
  const __m256 eight = _mm256_max_ps(lower(x), upper(x));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

/// e^x to 2 ulp in [-87.3, 88.7]; 0 below (also for -inf), e^88.7 above.
/// Source: Cephes expf (range reduction by ln 2 in two parts, a polynomial of degree 5).
[[gnu::always_inline]] inline F32 exp(F32 x) {
  const F32 lowest = splat(-87.33F);
  const Mask in_range = at_least(x, lowest);
  const F32 bounded = max(min(x, splat(88.37F)), lowest);
  const F32 n = round_nearest(mul(bounded, splat(1.44269504088896341F)));
  F32 r = fma(n, splat(-0.693359375F), bounded);
  r = fma(n, splat(2.12194440e-4F), r);
  F32 y = splat(1.9875691500e-4F);
  y = fma(y, r, splat(1.3981999507e-3F));
  y = fma(y, r, splat(8.3334519073e-3F));
  y = fma(y, r, splat(4.1665795894e-2F));
  y = fma(y, r, splat(1.6666665459e-1F));
  y = fma(y, r, splat(5.0000001201e-1F));
  y = fma(y, mul(r, r), add(r, splat(1.0F)));
  return select(in_range, mul(y, power_of_two(n)), zero());
}

/// x / (1 + e^-x)
[[gnu::always_inline]] inline F32 silu(F32 x) { return div(x, add(splat(1.0F), exp(sub(zero(), x)))); }

/// Sixteen elements of a 16-bit type.
inline F32 widen(const uint16_t* p, Element type) { return type == Element::kF16 ? widen_f16(p) : widen_bf16(p); }
inline void narrow(uint16_t* p, F32 x, Element type) { type == Element::kF16 ? narrow_f16(p, x) : narrow_bf16(p, x); }

/// Sixteen elements of any type; `first` versions touch only the first n.
inline F32 load_any(const void* p, int64_t index, Element type) {
  switch (type) {
    case Element::kF16:
      return widen_f16(static_cast<const uint16_t*>(p) + index);
    case Element::kBf16:
      return widen_bf16(static_cast<const uint16_t*>(p) + index);
    default:
      return load(static_cast<const float*>(p) + index);
  }
}
inline F32 load_any_first(const void* p, int64_t index, Element type, int64_t n) {
  if (n >= 16) return load_any(p, index, type);
  if (type == Element::kF32) return load_first(static_cast<const float*>(p) + index, n);
  uint16_t buffer[16] = {};
  for (int64_t i = 0; i < n; ++i) buffer[i] = static_cast<const uint16_t*>(p)[index + i];
  return widen(buffer, type);
}
inline void store_any(void* p, int64_t index, Element type, F32 x) {
  switch (type) {
    case Element::kF16:
      narrow_f16(static_cast<uint16_t*>(p) + index, x);
      return;
    case Element::kBf16:
      narrow_bf16(static_cast<uint16_t*>(p) + index, x);
      return;
    default:
      store(static_cast<float*>(p) + index, x);
  }
}
inline void store_any_first(void* p, int64_t index, Element type, F32 x, int64_t n) {
  if (n >= 16) {
    store_any(p, index, type, x);
    return;
  }
  if (type == Element::kF32) {
    store_first(static_cast<float*>(p) + index, x, n);
    return;
  }
  uint16_t buffer[16];
  narrow(buffer, x, type);
  for (int64_t i = 0; i < n; ++i) static_cast<uint16_t*>(p)[index + i] = buffer[i];
}

inline uint32_t float_bits(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  return bits;
}
inline float bits_float(uint32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, 4);
  return x;
}

/// The bf16 scale of keys or values with this largest magnitude: that / 448, rounded up so that nothing saturates.
inline uint16_t f8_scale(float largest) {
  const float bounded = largest < 3.0e38F ? largest : 3.0e38F;
  return static_cast<uint16_t>((float_bits(bounded / 448.0F) + 0xFFFFU) >> 16);
}
inline float f8_scale_value(uint16_t scale) { return bits_float(static_cast<uint32_t>(scale) << 16); }

/// e4m3, rounded to nearest even, saturated to 448; a NaN becomes 480.
inline uint8_t f8_from_float(float x) {
  const uint32_t sign = float_bits(x) >> 24 & 0x80U;
  const uint32_t magnitude = float_bits(x) & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<uint8_t>(0x7F);
  if (magnitude >= 0x43E00000U) return static_cast<uint8_t>(sign | 0x7EU);
  if (magnitude < 0x3C800000U) {
    // Below 2^-6 the step is 2^-9: adding 2^14 puts it at the end of the mantissa, where the FPU rounds.
    return static_cast<uint8_t>(sign | (float_bits(bits_float(magnitude) + 16384.0F) - 0x46800000U));
  }
  return static_cast<uint8_t>(sign | (magnitude - 0x3C000000U + 0x7FFFFU + (magnitude >> 20 & 1U)) >> 20);
}

}  // namespace seraph::cpu::SERAPH_ISA
