// Sixteen floats in one AVX-512 register, under the names that ops/ uses. Included by instances only.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace seraph::cpu::SERAPH_ISA {

using F32 = __m512;

inline F32 zero() { return _mm512_setzero_ps(); }
inline F32 splat(float x) { return _mm512_set1_ps(x); }
inline F32 load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, F32 x) { _mm512_storeu_ps(p, x); }
/// Past the caches; p is a multiple of 64 bytes.
inline void stream(float* p, F32 x) { _mm512_stream_ps(p, x); }
inline __mmask16 first_lanes(int64_t n) { return static_cast<__mmask16>(n >= 16 ? 0xFFFFU : (1U << n) - 1U); }
/// The first n of 16, zeros behind them; nothing past n is touched.
inline F32 load_first(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
inline void store_first(float* p, F32 x, int64_t n) { _mm512_mask_storeu_ps(p, first_lanes(n), x); }

inline F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
inline F32 add(F32 a, F32 b) { return _mm512_add_ps(a, b); }
inline F32 sub(F32 a, F32 b) { return _mm512_sub_ps(a, b); }
inline F32 mul(F32 a, F32 b) { return _mm512_mul_ps(a, b); }
inline F32 div(F32 a, F32 b) { return _mm512_div_ps(a, b); }
inline F32 max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
inline F32 min(F32 a, F32 b) { return _mm512_min_ps(a, b); }
inline F32 round_nearest(F32 x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/// 2^n for integral n in [-126, 127].
inline F32 power_of_two(F32 n) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
}

using Mask = uint32_t;  // bit i: lane i
inline Mask at_least(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
inline Mask above(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
/// a in the lanes of m, else b.
inline F32 select(Mask m, F32 a, F32 b) { return _mm512_mask_blend_ps(static_cast<__mmask16>(m), b, a); }

/// Lanes 0-7 and 8-15 apart, so that both vector widths sum in the same order.
inline __m256 lower(F32 x) { return _mm512_castps512_ps256(x); }
inline __m256 upper(F32 x) { return _mm512_extractf32x8_ps(x, 1); }

inline F32 widen_bf16(const uint16_t* p) {
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16));
}
inline F32 widen_f16(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
/// e4m3: placed as a float with a small exponent, then scaled, which is exact for subnormals too.
inline F32 widen_f8(const uint8_t* p) {
  const __m512i x = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  const __m512i sign = _mm512_slli_epi32(_mm512_and_si512(x, _mm512_set1_epi32(0x80)), 24);
  const __m512i magnitude = _mm512_slli_epi32(_mm512_and_si512(x, _mm512_set1_epi32(0x7F)), 20);
  return _mm512_mul_ps(_mm512_castsi512_ps(_mm512_or_si512(sign, magnitude)), _mm512_set1_ps(0x1p120F));
}
/// Sixteen pairs of bf16: the even or the odd member of each.
inline F32 even_bf16(const void* p) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16)); }
inline F32 odd_bf16(const void* p) {
  return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi32(-65536)));
}
/// Rounds to nearest even; a NaN stays one.
inline void narrow_bf16(uint16_t* p, F32 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))), 16);
  rounded = _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), _mm512_set1_epi32(0x7FC0));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(rounded));
}
inline void narrow_f16(uint16_t* p, F32 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/// Sixteen unsigned integers.
using U32 = __m512i;
inline U32 splat_u32(uint32_t x) { return _mm512_set1_epi32(static_cast<int32_t>(x)); }
inline U32 load_u32(const uint32_t* p) { return _mm512_loadu_si512(p); }
inline void store_u32(uint32_t* p, U32 x) { _mm512_storeu_si512(p, x); }
inline U32 add(U32 a, U32 b) { return _mm512_add_epi32(a, b); }
inline U32 exclusive_or(U32 a, U32 b) { return _mm512_xor_si512(a, b); }
inline F32 to_float(U32 x) { return _mm512_cvtepu32_ps(x); }
/// The 64-bit products, high and low words.
inline void multiply_wide(U32 a, uint32_t factor, U32& high, U32& low) {
  const __m512i b = splat_u32(factor);
  const __m512i even = _mm512_mul_epu32(a, b);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), b);
  high = _mm512_mask_mov_epi32(_mm512_srli_epi64(even, 32), 0xAAAA, odd);
  low = _mm512_mask_mov_epi32(even, 0xAAAA, _mm512_slli_epi64(odd, 32));
}
/// Lane 4 q + r of word w goes to lane 4 q + w of vector r.
inline void transpose_quads(U32 (&word)[4]) {
  const __m512i a = _mm512_unpacklo_epi32(word[0], word[1]);
  const __m512i b = _mm512_unpacklo_epi32(word[2], word[3]);
  const __m512i c = _mm512_unpackhi_epi32(word[0], word[1]);
  const __m512i d = _mm512_unpackhi_epi32(word[2], word[3]);
  word[0] = _mm512_unpacklo_epi64(a, b);
  word[1] = _mm512_unpackhi_epi64(a, b);
  word[2] = _mm512_unpacklo_epi64(c, d);
  word[3] = _mm512_unpackhi_epi64(c, d);
}

}  // namespace seraph::cpu::SERAPH_ISA
