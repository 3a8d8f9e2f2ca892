// out = x W^T over panels of 16 outputs. A register tile is R rows by P panels; every output is one running
// f32 sum over k ascending (over pairs of k with vdpbf16ps), so the tile's shape never shows in the result.
// Panel groups are the outer loop: a group's weights leave memory once and stay in the second-level cache
// for all rows. Included by instances only.
#pragma once

#include "kernels/cpu/simd/common.h"

namespace seraph::cpu::SERAPH_ISA {

/// Sanitizers multiply the code of an unrolled tile: they get the small ones, whose results are the same.
#if SERAPH_ISA_AVX512 && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SERAPH_CPU_WIDE_TILES 1
#else
#define SERAPH_CPU_WIDE_TILES 0
#endif

/// Registers: R * P accumulators, P weights, one input. AVX2 has 16 of half the width.
#if SERAPH_CPU_WIDE_TILES
constexpr int kTilePanels = 4;
constexpr int kTileRows = 6;
#else
constexpr int kTilePanels = 2;
constexpr int kTileRows = 3;
#endif

template <int R, int P>
struct Tile {
  F32 sum[R][P];
};

/// Asks for A of the lines that the next group of panels will need at this step.
template <int A>
[[gnu::always_inline]] inline void prefetch(const char* ahead, int64_t step) {
#pragma GCC unroll 8
  for (int a = 0; a < A; ++a) _mm_prefetch(ahead + (step * A + a) * 64, _MM_HINT_T1);
}

/// One k of all inputs against one k of all panels; weight(p) is the vector of panel p. With 32 registers the
/// P weights stay while the inputs change; with 16 there is room for one, and inputs are read again per panel.
template <int R, int P, typename Weight>
[[gnu::always_inline]] inline void multiply_step(Tile<R, P>& tile, const float* x, int64_t stride, Weight weight) {
#if SERAPH_ISA_AVX512
  F32 w[P];
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) w[p] = weight(p);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const F32 input = splat(x[r * stride]);
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) tile.sum[r][p] = fma(w[p], input, tile.sum[r][p]);
  }
#else
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    const F32 w = weight(p);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) tile.sum[r][p] = fma(w, splat(x[r * stride]), tile.sum[r][p]);
    __asm__ volatile("" ::: "memory");  // or the compiler keeps the inputs, and puts sums on the stack instead
  }
#endif
}

template <int A, int R, int P>
[[gnu::always_inline]] inline void multiply_f32(Tile<R, P>& tile, const LinearJob& job, const float* x,
                                                const char* panel, const char* ahead) {
  for (int64_t k = 0; k < job.k; ++k) {
    prefetch<A>(ahead, k);
    multiply_step(tile, x + k, job.x_stride,
                  [&](int p) { return load(reinterpret_cast<const float*>(panel + p * job.panel_bytes) + k * 16); });
  }
}

template <int A, int R, int P>
[[gnu::always_inline]] inline void multiply_f16(Tile<R, P>& tile, const LinearJob& job, const float* x,
                                                const char* panel, const char* ahead) {
  for (int64_t k = 0; k < job.k; ++k) {
    if (k % 2 == 0) prefetch<A>(ahead, k / 2);
    multiply_step(tile, x + k, job.x_stride, [&](int p) {
      return widen_f16(reinterpret_cast<const uint16_t*>(panel + p * job.panel_bytes) + k * 16);
    });
  }
}

/// bf16 weights widen exactly; inputs stay f32.
template <int A, int R, int P>
[[gnu::always_inline]] inline void multiply_bf16_f32(Tile<R, P>& tile, const LinearJob& job, const float* x,
                                                     const char* panel, const char* ahead) {
  for (int64_t k = 0; k < job.k; k += 2) {
    prefetch<A>(ahead, k / 2);
    const char* pair = panel + k * 32;
    multiply_step(tile, x + k, job.x_stride, [&](int p) { return even_bf16(pair + p * job.panel_bytes); });
    if (k + 1 == job.k) return;
    multiply_step(tile, x + k + 1, job.x_stride, [&](int p) { return odd_bf16(pair + p * job.panel_bytes); });
  }
}

#if SERAPH_ISA_BF16
inline __m512bh pairs(__m512i bits) { return reinterpret_cast<__m512bh>(bits); }

template <int A, int R, int P>
[[gnu::always_inline]] inline void multiply_bf16(Tile<R, P>& tile, const LinearJob& job, const uint16_t* x,
                                                 const char* panel, const char* ahead) {
  for (int64_t k = 0; k + 1 < job.k; k += 2) {
    __m512bh w[P];
    prefetch<A>(ahead, k / 2);
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) w[p] = pairs(_mm512_loadu_si512(panel + p * job.panel_bytes + k * 32));
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      int32_t two;
      __builtin_memcpy(&two, x + r * job.x_stride + k, 4);
      const __m512bh input = pairs(_mm512_set1_epi32(two));
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) tile.sum[r][p] = _mm512_dpbf16_ps(tile.sum[r][p], w[p], input);
    }
  }
  if (job.k % 2 != 0) {
    const int64_t k = job.k - 1;
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m512bh input = pairs(_mm512_set1_epi32(x[r * job.x_stride + k]));
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
        const __m512bh w = pairs(_mm512_loadu_si512(panel + p * job.panel_bytes + k * 32));
        tile.sum[r][p] = _mm512_dpbf16_ps(tile.sum[r][p], w, input);
      }
    }
  }
}
#endif

/// What belongs to panel p's outputs of a vector over all of them, zeros where there is none. Gate and up panels
/// alternate in a kSiluMul weight.
inline F32 of_panel(const LinearJob& job, const float* values, int64_t p) {
  if (values == nullptr) return zero();
  int64_t begin = p * 16;
  int64_t end = job.n;
  if (job.epilogue == Epilogue::kSiluMul) {
    const int64_t half = job.n / 2;
    begin = (p / 2) * 16 + (p % 2) * half;
    end = half + (p % 2) * half;
  }
  return load_first(values + begin, end - begin);
}
inline F32 panel_bias(const LinearJob& job, int64_t p) { return of_panel(job, job.bias, p); }

/// Adds the row's delta, if it has one, to the sums of panel p.
[[gnu::always_inline]] inline F32 add_delta(const LinearJob& job, int64_t row, int64_t p, F32 value) {
  if (job.deltas == nullptr || job.deltas[row] == nullptr) return value;
  return add(value, of_panel(job, job.deltas[row], p));
}

/// silu(gate) * up of the panel pair (p, p + 1).
template <int R, int P>
[[gnu::always_inline]] inline void finish_pair(const Tile<R, P>& tile, const LinearJob& job, int64_t row, int64_t panel,
                                               int p) {
  const F32 gate_bias = panel_bias(job, panel + p);
  const F32 up_bias = panel_bias(job, panel + p + 1);
  const int64_t col = (panel + p) / 2 * 16;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    const F32 gate = add_delta(job, row + r, panel + p, add(tile.sum[r][p], gate_bias));
    const F32 up = add_delta(job, row + r, panel + p + 1, add(tile.sum[r][p + 1], up_bias));
    store_any_first(job.out, (row + r) * job.out_stride + col, job.out_type, mul(silu(gate), up), job.n / 2 - col);
  }
}

template <int R, int P>
[[gnu::always_inline]] inline void finish_tile(const Tile<R, P>& tile, const LinearJob& job, int64_t row,
                                               int64_t panel) {
  if (job.epilogue == Epilogue::kSiluMul) {
    if constexpr (P % 2 == 0) {
#pragma GCC unroll 8
      for (int p = 0; p < P; p += 2) finish_pair(tile, job, row, panel, p);
    }
    return;
  }
  float* out = static_cast<float*>(job.out) + row * job.out_stride + panel * 16;
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    const int64_t n = job.n - (panel + p) * 16;
    const F32 bias = panel_bias(job, panel + p);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      float* at = out + r * job.out_stride + p * 16;
      F32 value = add_delta(job, row + r, panel + p, add(tile.sum[r][p], bias));
      if (job.epilogue == Epilogue::kAccumulate) value = add(load_first(at, n), value);
      if (job.stream && n >= 16) {
        stream(at, value);
      } else {
        store_first(at, value, n);
      }
    }
  }
}

/// The types of weights and inputs that have a product of their own.
enum class Product : uint8_t { kF32, kF16, kBf16F32, kBf16 };

template <Product K, int A, int R, int P>
void linear_tile(const LinearJob& job, int64_t row, int64_t panel, const char* ahead) {
  Tile<R, P> tile;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) tile.sum[r][p] = zero();
  }
  const char* weights = job.panels + panel * job.panel_bytes;
  const float* x = static_cast<const float*>(job.x) + row * job.x_stride;
  if constexpr (K == Product::kF32) multiply_f32<A>(tile, job, x, weights, ahead);
  if constexpr (K == Product::kF16) multiply_f16<A>(tile, job, x, weights, ahead);
  if constexpr (K == Product::kBf16F32) multiply_bf16_f32<A>(tile, job, x, weights, ahead);
#if SERAPH_ISA_BF16
  if constexpr (K == Product::kBf16) {
    multiply_bf16<A>(tile, job, static_cast<const uint16_t*>(job.x) + row * job.x_stride, weights, ahead);
  }
#endif
  finish_tile(tile, job, row, panel);
}

/// `rows` rows, at most kTileRows.
template <Product K, int A, int P>
void linear_rows(const LinearJob& job, int64_t row, int64_t rows, int64_t panel, const char* ahead) {
  switch (rows) {
    case 1:
      return linear_tile<K, A, 1, P>(job, row, panel, ahead);
    case 2:
      return linear_tile<K, A, 2, P>(job, row, panel, ahead);
    case 3:
      return linear_tile<K, A, 3, P>(job, row, panel, ahead);
#if SERAPH_CPU_WIDE_TILES
    case 4:
      return linear_tile<K, A, 4, P>(job, row, panel, ahead);
    case 5:
      return linear_tile<K, A, 5, P>(job, row, panel, ahead);
    case 6:
      return linear_tile<K, A, 6, P>(job, row, panel, ahead);
#endif
    default:
      return;
  }
}

/// All rows against P panels, while the next P are fetched, over the first two passes if there are several:
/// alone, the reads of a pass would wait for the products of the passes before it.
template <Product K, int P>
void linear_group(const LinearJob& job, int64_t panel, bool last) {
  const int64_t passes = (job.rows + kTileRows - 1) / kTileRows;
  const int64_t group_bytes = P * job.panel_bytes;
  const char* ahead = job.panels + panel * job.panel_bytes + group_bytes;
  if (P == kTilePanels && !last && passes == 1) {
    linear_rows<K, P, P>(job, 0, job.rows, panel, ahead);
    return;
  }
  for (int64_t pass = 0; pass < passes; ++pass) {
    const int64_t row = job.rows * pass / passes;
    const int64_t rows = job.rows * (pass + 1) / passes - row;
    if (P == kTilePanels && !last && pass < 2) {
      linear_rows<K, P / 2, P>(job, row, rows, panel, ahead + pass * group_bytes / 2);
    } else {
      linear_rows<K, 0, P>(job, row, rows, panel, ahead);
    }
  }
}

template <Product K>
void linear_panels(const LinearJob& job, int64_t panel_begin, int64_t panel_end) {
  int64_t panel = panel_begin;
  for (; panel + kTilePanels <= panel_end; panel += kTilePanels) {
    linear_group<K, kTilePanels>(job, panel, panel + 2 * kTilePanels > panel_end);
  }
  for (; panel + 2 <= panel_end; panel += 2) linear_group<K, 2>(job, panel, true);
  if (panel < panel_end) linear_group<K, 1>(job, panel, true);
}

void linear(const LinearJob& job, int64_t panel_begin, int64_t panel_end) {
  if (job.weight_type == Element::kF32) {
    linear_panels<Product::kF32>(job, panel_begin, panel_end);
  } else if (job.weight_type == Element::kF16) {
    linear_panels<Product::kF16>(job, panel_begin, panel_end);
  } else if (job.x_type == Element::kF32) {
    linear_panels<Product::kBf16F32>(job, panel_begin, panel_end);
  } else {
#if SERAPH_ISA_BF16
    linear_panels<Product::kBf16>(job, panel_begin, panel_end);
#endif
  }
  if (job.stream) _mm_sfence();  // streamed stores are not ordered with the one that says "done"
}

}  // namespace seraph::cpu::SERAPH_ISA
