// Part of ptx.h: matrix multiply-accumulate, packed 16-bit arithmetic and bit selection, for a GPU. Include ptx.h, not
// this. Where an architecture lacks an instruction the function traps; the support tables must not choose it there.
#pragma once

namespace seraph::cuda {

/// acc [16][8] += A [16][16] B [16][8] with products and sums in f32. T is half_t (sm_75 on) or bf16_t (sm_80 on);
/// fp8_t (sm_89 on) multiplies [16][32] by [32][8]. Collective.
template <typename T>
SERAPH_DEVICE void mma(Fragment<float, 4>& acc, const Fragment<uint32_t, 4>& a, const Fragment<uint32_t, 2>& b) {
  if constexpr (__is_same(T, half_t)) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(acc.v[0]), "+f"(acc.v[1]), "+f"(acc.v[2]), "+f"(acc.v[3])
        : "r"(a.v[0]), "r"(a.v[1]), "r"(a.v[2]), "r"(a.v[3]), "r"(b.v[0]), "r"(b.v[1]));
#else
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      asm volatile(
          "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
          : "+f"(acc.v[0]), "+f"(acc.v[1]), "+f"(acc.v[2]), "+f"(acc.v[3])
          : "r"(a.v[2 * i]), "r"(a.v[2 * i + 1]), "r"(b.v[i]));
    }
#endif
  } else if constexpr (__is_same(T, bf16_t)) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(acc.v[0]), "+f"(acc.v[1]), "+f"(acc.v[2]), "+f"(acc.v[3])
        : "r"(a.v[0]), "r"(a.v[1]), "r"(a.v[2]), "r"(a.v[3]), "r"(b.v[0]), "r"(b.v[1]));
#else
    __trap();
#endif
  } else {
    static_assert(__is_same(T, fp8_t));
#if __CUDA_ARCH__ >= 890
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(acc.v[0]), "+f"(acc.v[1]), "+f"(acc.v[2]), "+f"(acc.v[3])
        : "r"(a.v[0]), "r"(a.v[1]), "r"(a.v[2]), "r"(a.v[3]), "r"(b.v[0]), "r"(b.v[1]));
#else
    __trap();
#endif
  }
}

/// acc [16][8] += A [16][32] B [32][8], signed bytes, exact in 32 bits (sm_80 on). Collective.
SERAPH_DEVICE void mma_s8(Fragment<int32_t, 4>& acc, const Fragment<uint32_t, 4>& a, const Fragment<uint32_t, 2>& b) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+r"(acc.v[0]), "+r"(acc.v[1]), "+r"(acc.v[2]), "+r"(acc.v[3])
      : "r"(a.v[0]), "r"(a.v[1]), "r"(a.v[2]), "r"(a.v[3]), "r"(b.v[0]), "r"(b.v[1]));
#else
  __trap();
#endif
}

/// a * b + c on both halves of a register, each rounded once. half_t everywhere, bf16_t on sm_80 on.
template <typename T>
SERAPH_DEVICE uint32_t fma_pair(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t out = 0;
  if constexpr (__is_same(T, half_t)) {
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(out) : "r"(a), "r"(b), "r"(c));
  } else {
    static_assert(__is_same(T, bf16_t));
#if __CUDA_ARCH__ >= 800
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(out) : "r"(a), "r"(b), "r"(c));
#else
    __trap();
#endif
  }
  return out;
}

/// Byte i of the result is byte (selector >> 4 i & 7) of b:a (prmt).
SERAPH_DEVICE uint32_t select_bytes(uint32_t a, uint32_t b, uint32_t selector) { return __byte_perm(a, b, selector); }
/// Any function of three bits, applied to 32 at once; kTable is the function of 0xF0, 0xCC, 0xAA.
template <int kTable>
SERAPH_DEVICE uint32_t logic3(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t out;
  asm("lop3.b32 %0, %1, %2, %3, %4;" : "=r"(out) : "r"(a), "r"(b), "r"(c), "n"(kTable));
  return out;
}
/// acc + the dot product of four signed bytes.
SERAPH_DEVICE int32_t dot4(uint32_t a, uint32_t b, int32_t acc) {
  return __dp4a(static_cast<int>(a), static_cast<int>(b), acc);
}
/// 2^x and 1/sqrt(x) of the special function unit: 2 units in the last place.
SERAPH_DEVICE float exp2_fast(float x) {
  float out;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x));
  return out;
}
SERAPH_DEVICE float rsqrt_fast(float x) { return rsqrtf(x); }
SERAPH_DEVICE float divide_fast(float a, float b) { return __fdividef(a, b); }

}  // namespace seraph::cuda
