// The number types of kernels, on a GPU and on the host: float16, bfloat16 and fp8 (e4m3) as plain bits with explicit
// conversions that round to nearest even, packed pairs as a GPU register holds them, and short aligned vectors. Our
// own classes and not the toolkit's, because the simulator builds where no toolkit is installed. Pure functions.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/cuda/platform.h"

namespace seraph::cuda {

struct half_t {
  uint16_t bits;
};
struct bf16_t {
  uint16_t bits;
};
/// 1 sign, 4 exponent, 3 mantissa bits; largest 448, no infinity, NaN is 0x7F.
struct fp8_t {
  uint8_t bits;
};

template <typename T>
constexpr bool kIsFp8 = __is_same(T, fp8_t);

/// N elements that move in one instruction: aligned to their whole size (at most 16 bytes).
template <typename T, int N>
struct alignas(sizeof(T) * N) Vec {
  static_assert(sizeof(T) * N <= 16, "one instruction moves at most 16 bytes");
  T v[N];
  SERAPH_HOST_DEVICE T& operator[](int i) { return v[i]; }
  SERAPH_HOST_DEVICE const T& operator[](int i) const { return v[i]; }
};

/// Two floats that travel packed in one register.
struct FloatPair {
  float lo;
  float hi;
};

SERAPH_HOST_DEVICE uint32_t float_bits(float x) {
#ifdef __CUDA_ARCH__
  return __float_as_uint(x);
#else
  return std::bit_cast<uint32_t>(x);
#endif
}
SERAPH_HOST_DEVICE float bits_float(uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(bits);
#else
  return std::bit_cast<float>(bits);
#endif
}

SERAPH_HOST_DEVICE int32_t count_bits(uint64_t x) {
#ifdef __CUDA_ARCH__
  return __popcll(x);
#else
  return std::popcount(x);
#endif
}
/// The place of the lowest bit of x, which has one.
SERAPH_HOST_DEVICE int32_t lowest_bit(uint64_t x) {
#ifdef __CUDA_ARCH__
  return __ffsll(static_cast<long long>(x)) - 1;
#else
  return std::countr_zero(x);
#endif
}

SERAPH_HOST_DEVICE float to_float(float x) { return x; }
SERAPH_HOST_DEVICE float to_float(int32_t x) { return static_cast<float>(x); }
SERAPH_HOST_DEVICE float to_float(bf16_t x) { return bits_float(static_cast<uint32_t>(x.bits) << 16); }

SERAPH_HOST_DEVICE float to_float(half_t x) {
#ifdef __CUDA_ARCH__
  float out;
  asm("cvt.f32.f16 %0, %1;" : "=f"(out) : "h"(x.bits));
  return out;
#else
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000U) << 16;
  const uint32_t magnitude = x.bits & 0x7FFFU;
  if (magnitude >= 0x7C00U) return bits_float(sign | 0x7F800000U | (magnitude & 0x3FFU) << 13);
  // Placed as a float with a small exponent, then scaled: subnormals come out exact.
  return bits_float(sign | float_bits(bits_float(magnitude << 13) * 0x1p112F));
#endif
}

SERAPH_HOST_DEVICE float to_float(fp8_t x) {
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x80U) << 24;
  const uint32_t magnitude = x.bits & 0x7FU;
  if (magnitude == 0x7FU) return bits_float(sign | 0x7FC00000U);
  // The same trick as for half: exponent bias 7 against 127.
  return bits_float(sign | float_bits(bits_float(magnitude << 20) * 0x1p120F));
}

template <typename T>
SERAPH_HOST_DEVICE T from_float(float x) = delete;

template <>
SERAPH_HOST_DEVICE float from_float<float>(float x) {
  return x;
}

template <>
SERAPH_HOST_DEVICE half_t from_float<half_t>(float x) {
#ifdef __CUDA_ARCH__
  half_t out;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(out.bits) : "f"(x));
  return out;
#else
  const uint32_t bits = float_bits(x);
  const uint32_t sign = bits >> 16 & 0x8000U;
  const uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return {static_cast<uint16_t>(0x7FFFU)};
  if (magnitude >= 0x477FF000U) return {static_cast<uint16_t>(sign | 0x7C00U)};  // rounds to 65536 or beyond
  if (magnitude < 0x38800000U) {
    // Below 2^-14 the step is 2^-24: adding 0.5 puts it at the end of the mantissa, where the FPU rounds.
    return {static_cast<uint16_t>(sign | (float_bits(bits_float(magnitude) + 0.5F) - 0x3F000000U))};
  }
  return {static_cast<uint16_t>(sign | (magnitude - 0x38000000U + 0xFFFU + (magnitude >> 13 & 1U)) >> 13)};
#endif
}

template <>
SERAPH_HOST_DEVICE bf16_t from_float<bf16_t>(float x) {
  const uint32_t bits = float_bits(x);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return {static_cast<uint16_t>(0x7FFFU)};
  return {static_cast<uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16)};
}

/// Saturates to 448; infinities too.
template <>
SERAPH_HOST_DEVICE fp8_t from_float<fp8_t>(float x) {
  const uint32_t sign = float_bits(x) >> 24 & 0x80U;
  const uint32_t magnitude = float_bits(x) & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return {static_cast<uint8_t>(0x7FU)};
  if (magnitude >= 0x43E00000U) return {static_cast<uint8_t>(sign | 0x7EU)};
  if (magnitude < 0x3C800000U) {
    // Below 2^-6 the step is 2^-9: adding 2^14 puts it at the end of the mantissa, where the FPU rounds.
    return {static_cast<uint8_t>(sign | (float_bits(bits_float(magnitude) + 0x1p14F) - 0x46800000U))};
  }
  const uint32_t rounded = (magnitude - 0x3C000000U + 0x7FFFFU + (magnitude >> 20 & 1U)) >> 20;
  return {static_cast<uint8_t>(sign | rounded)};
}

/// The scale of a head of keys or values in e4m3, see KvShape: nothing saturates.
SERAPH_HOST_DEVICE bf16_t kv_scale_of(float largest) {
  const float bounded = largest < 3.0e38F ? largest : 3.0e38F;
  return {static_cast<uint16_t>((float_bits(bounded / 448.0F) + 0xFFFFU) >> 16)};
}

/// A register of two 16-bit numbers; `lo` is the one at the lower address.
template <typename T>
SERAPH_HOST_DEVICE uint32_t pack_pair(float lo, float hi) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  uint32_t out;
  if constexpr (__is_same(T, half_t)) {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(hi), "f"(lo));
    return out;
  }
  if constexpr (__is_same(T, bf16_t)) {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(hi), "f"(lo));
    return out;
  }
#endif
  return from_float<T>(lo).bits | static_cast<uint32_t>(from_float<T>(hi).bits) << 16;
}

template <typename T>
SERAPH_HOST_DEVICE FloatPair unpack_pair(uint32_t pair) {
  return {to_float(T{static_cast<uint16_t>(pair)}), to_float(T{static_cast<uint16_t>(pair >> 16)})};
}

/// Two fp8 numbers (`lo` in the low byte) as two halves in a register, exactly.
SERAPH_HOST_DEVICE uint32_t fp8_pair_to_half_pair(uint16_t pair) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
  uint32_t out;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(out) : "h"(pair));
  return out;
#else
  const uint32_t lo = from_float<half_t>(to_float(fp8_t{static_cast<uint8_t>(pair)})).bits;
  const uint32_t hi = from_float<half_t>(to_float(fp8_t{static_cast<uint8_t>(pair >> 8)})).bits;
  return lo | hi << 16;
#endif
}

}  // namespace seraph::cuda
