// Sixteen floats in two AVX2 registers, under the names that ops/ uses. Included by instances only.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace seraph::cpu::SERAPH_ISA {

struct F32 {
  __m256 low;
  __m256 high;
};

inline F32 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
inline F32 splat(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline F32 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, F32 x) {
  _mm256_storeu_ps(p, x.low);
  _mm256_storeu_ps(p + 8, x.high);
}
/// Past the caches; p is a multiple of 64 bytes.
inline void stream(float* p, F32 x) {
  _mm256_stream_ps(p, x.low);
  _mm256_stream_ps(p + 8, x.high);
}
inline __m256i first_lanes(int64_t n) {
  const int32_t count = n < 0 ? 0 : n > 8 ? 8 : static_cast<int32_t>(n);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
/// The first n of 16, zeros behind them; nothing past n is touched.
inline F32 load_first(const float* p, int64_t n) {
  if (n >= 16) return load(p);
  return {_mm256_maskload_ps(p, first_lanes(n)), _mm256_maskload_ps(p + 8, first_lanes(n - 8))};
}
inline void store_first(float* p, F32 x, int64_t n) {
  if (n >= 16) return store(p, x);
  _mm256_maskstore_ps(p, first_lanes(n), x.low);
  _mm256_maskstore_ps(p + 8, first_lanes(n - 8), x.high);
}

inline F32 fma(F32 a, F32 b, F32 c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline F32 add(F32 a, F32 b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
inline F32 sub(F32 a, F32 b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
inline F32 mul(F32 a, F32 b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
inline F32 div(F32 a, F32 b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
inline F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
inline F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
inline F32 round_nearest(F32 x) {
  return {_mm256_round_ps(x.low, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
          _mm256_round_ps(x.high, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline __m256 power_of_two(__m256 n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
/// 2^n for integral n in [-126, 127].
inline F32 power_of_two(F32 n) { return {power_of_two(n.low), power_of_two(n.high)}; }

using Mask = uint32_t;  // bit i: lane i
inline Mask bits(__m256 low, __m256 high) {
  return static_cast<uint32_t>(_mm256_movemask_ps(low)) | static_cast<uint32_t>(_mm256_movemask_ps(high)) << 8;
}
inline Mask at_least(F32 a, F32 b) {
  return bits(_mm256_cmp_ps(a.low, b.low, _CMP_GE_OQ), _mm256_cmp_ps(a.high, b.high, _CMP_GE_OQ));
}
inline Mask above(F32 a, F32 b) {
  return bits(_mm256_cmp_ps(a.low, b.low, _CMP_GT_OQ), _mm256_cmp_ps(a.high, b.high, _CMP_GT_OQ));
}
inline __m256 lanes_of(Mask m) {
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return _mm256_castsi256_ps(
      _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int32_t>(m)), bit), bit));
}
/// a in the lanes of m, else b.
inline F32 select(Mask m, F32 a, F32 b) {
  return {_mm256_blendv_ps(b.low, a.low, lanes_of(m)), _mm256_blendv_ps(b.high, a.high, lanes_of(m >> 8))};
}

inline __m256 lower(F32 x) { return x.low; }
inline __m256 upper(F32 x) { return x.high; }

inline __m256 widen_bf16(__m128i x) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16)); }
inline F32 widen_bf16(const uint16_t* p) {
  return {widen_bf16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          widen_bf16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
inline F32 widen_f16(const uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
/// e4m3: placed as a float with a small exponent, then scaled, which is exact for subnormals too.
inline __m256 widen_f8(__m128i bytes) {
  const __m256i x = _mm256_cvtepu8_epi32(bytes);
  const __m256i sign = _mm256_slli_epi32(_mm256_and_si256(x, _mm256_set1_epi32(0x80)), 24);
  const __m256i magnitude = _mm256_slli_epi32(_mm256_and_si256(x, _mm256_set1_epi32(0x7F)), 20);
  return _mm256_mul_ps(_mm256_castsi256_ps(_mm256_or_si256(sign, magnitude)), _mm256_set1_ps(0x1p120F));
}
inline F32 widen_f8(const uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {widen_f8(bytes), widen_f8(_mm_srli_si128(bytes, 8))};
}
inline __m256i load_bits(const void* p, int64_t index) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p) + index);
}
/// Sixteen pairs of bf16: the even or the odd member of each.
inline F32 even_bf16(const void* p) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(load_bits(p, 0), 16)),
          _mm256_castsi256_ps(_mm256_slli_epi32(load_bits(p, 1), 16))};
}
inline F32 odd_bf16(const void* p) {
  const __m256i mask = _mm256_set1_epi32(-65536);
  return {_mm256_castsi256_ps(_mm256_and_si256(load_bits(p, 0), mask)),
          _mm256_castsi256_ps(_mm256_and_si256(load_bits(p, 1), mask))};
}
inline __m256i round_bf16(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded =
      _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF))), 16);
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  return _mm256_blendv_epi8(rounded, _mm256_set1_epi32(0x7FC0), nan);
}
/// Rounds to nearest even; a NaN stays one.
inline void narrow_bf16(uint16_t* p, F32 x) {
  const __m256i packed = _mm256_packus_epi32(round_bf16(x.low), round_bf16(x.high));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(packed, 0xD8));
}
inline void narrow_f16(uint16_t* p, F32 x) {
  constexpr int kRounding = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x.low, kRounding));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(x.high, kRounding));
}

/// Sixteen unsigned integers.
struct U32 {
  __m256i low;
  __m256i high;
};
inline U32 splat_u32(uint32_t x) {
  const __m256i bits = _mm256_set1_epi32(static_cast<int32_t>(x));
  return {bits, bits};
}
inline U32 load_u32(const uint32_t* p) { return {load_bits(p, 0), load_bits(p, 1)}; }
inline void store_u32(uint32_t* p, U32 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.low);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), x.high);
}
inline U32 add(U32 a, U32 b) { return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)}; }
inline U32 exclusive_or(U32 a, U32 b) { return {_mm256_xor_si256(a.low, b.low), _mm256_xor_si256(a.high, b.high)}; }
inline __m256 to_float(__m256i x) {
  const __m256 high = _mm256_cvtepi32_ps(_mm256_srli_epi32(x, 16));
  const __m256 low = _mm256_cvtepi32_ps(_mm256_and_si256(x, _mm256_set1_epi32(0xFFFF)));
  return _mm256_fmadd_ps(high, _mm256_set1_ps(65536.0F), low);
}
inline F32 to_float(U32 x) { return {to_float(x.low), to_float(x.high)}; }
inline void multiply_wide(__m256i a, __m256i b, __m256i& high, __m256i& low) {
  const __m256i even = _mm256_mul_epu32(a, b);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), b);
  high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
  low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}
/// The 64-bit products, high and low words.
inline void multiply_wide(U32 a, uint32_t factor, U32& high, U32& low) {
  const U32 b = splat_u32(factor);
  multiply_wide(a.low, b.low, high.low, low.low);
  multiply_wide(a.high, b.high, high.high, low.high);
}
inline void transpose_quads(__m256i& x, __m256i& y, __m256i& z, __m256i& w) {
  const __m256i a = _mm256_unpacklo_epi32(x, y);
  const __m256i b = _mm256_unpacklo_epi32(z, w);
  const __m256i c = _mm256_unpackhi_epi32(x, y);
  const __m256i d = _mm256_unpackhi_epi32(z, w);
  x = _mm256_unpacklo_epi64(a, b);
  y = _mm256_unpackhi_epi64(a, b);
  z = _mm256_unpacklo_epi64(c, d);
  w = _mm256_unpackhi_epi64(c, d);
}
/// Lane 4 q + r of word w goes to lane 4 q + w of vector r.
inline void transpose_quads(U32 (&word)[4]) {
  transpose_quads(word[0].low, word[1].low, word[2].low, word[3].low);
  transpose_quads(word[0].high, word[1].high, word[2].high, word[3].high);
}

}  // namespace seraph::cpu::SERAPH_ISA
