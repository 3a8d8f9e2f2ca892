// The instructions that C++ has no word for, one function each. This is the only file with PTX for warps, and its
// function names are the interface that kernels are written against; kernels/sim/warp_ops.h has the same functions
// for the simulator. Lanes are counted 0..31; every function that ends a sentence with "collective" must be reached
// by all lanes of `mask` (by the whole warp where there is no mask), or the simulator fails the test.
//
// Fragment layouts of mma, with g = lane / 4 and q = lane % 4 (PTX ISA, "Matrix Fragments for mma.m16n8k16"):
//   16-bit, k16   A [16][16]  a[0] row g, k 2q..2q+1   a[1] row g+8, same k   a[2] row g, k+8   a[3] row g+8, k+8
//                 B [16][8]   b[0] column g, k 2q..2q+1                       b[1] column g, k+8
//   8-bit, k32    A [16][32]  a[0] row g, k 4q..4q+3   a[1] row g+8, same k   a[2] row g, k+16  a[3] row g+8, k+16
//                 B [32][8]   b[0] column g, k 4q..4q+3                       b[1] column g, k+16
//   accumulators  C [16][8]   c[0], c[1] row g, columns 2q, 2q+1              c[2], c[3] row g+8, same columns
// B is "column major": a row-major weight or key matrix [n][k] is B as it lies in memory.
// One A matrix [16 rows][k16] in shared memory loads with load_matrix<4>, lane l giving the address of row l % 16,
// k (l / 16) * 8. Two B tiles [n8][k16] load with load_matrix<2>: row l % 8, k (l / 8 % 2) * 8; with <4> two of them.
#pragma once

#include "kernels/cuda/memory.h"

#if defined(SERAPH_CUDA_SIM)
#include "kernels/sim/warp_ops.h"
#elif defined(SERAPH_DEVICE_CODE)

namespace seraph::cuda {

constexpr uint32_t kFullWarp = 0xFFFFFFFFU;

SERAPH_DEVICE int lane_id() { return static_cast<int>(threadIdx.x) % 32; }
SERAPH_DEVICE int warp_id() { return static_cast<int>(threadIdx.x) / 32; }

/// All threads of the block; orders all memory accesses of the block. Collective over the block.
SERAPH_DEVICE void sync_threads() { __syncthreads(); }
/// Orders the memory accesses of the lanes. Collective.
SERAPH_DEVICE void sync_warp(uint32_t mask = kFullWarp) { __syncwarp(mask); }
/// Named barrier 1..15 among `threads` threads (a multiple of 32). Collective over them.
SERAPH_DEVICE void sync_named(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}
/// Makes this thread's earlier writes visible to the device before its later ones.
SERAPH_DEVICE void thread_fence() { __threadfence(); }
/// For loops that wait for another block.
SERAPH_DEVICE void pause() { asm volatile("nanosleep.u32 64;" ::: "memory"); }
/// Reads what another block writes with atomics or behind thread_fence().
template <typename T, typename I>
SERAPH_DEVICE T load_acquire(Global<T> x, I i) {
  static_assert(sizeof(T) == 4);
  uint32_t raw;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(raw) : "l"(x.raw() + i) : "memory");
  std::remove_const_t<T> out;
  memcpy(&out, &raw, 4);
  return out;
}

/// Asks for the 128 bytes around &x[i] to be brought into L2.
template <typename T, typename I>
SERAPH_DEVICE void prefetch(Global<T> x, I i) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(x.raw() + i));
}

/// Warp shuffles of 4 and 8 byte values; lanes outside the range keep their own value. Collective.
template <typename T>
SERAPH_DEVICE T shuffle(T value, int source_lane, uint32_t mask = kFullWarp) {
  return __shfl_sync(mask, value, source_lane);
}
template <typename T>
SERAPH_DEVICE T shuffle_xor(T value, int lane_bits, uint32_t mask = kFullWarp) {
  return __shfl_xor_sync(mask, value, lane_bits);
}
template <typename T>
SERAPH_DEVICE T shuffle_down(T value, int delta, uint32_t mask = kFullWarp) {
  return __shfl_down_sync(mask, value, static_cast<unsigned>(delta));
}
template <typename T>
SERAPH_DEVICE T shuffle_up(T value, int delta, uint32_t mask = kFullWarp) {
  return __shfl_up_sync(mask, value, static_cast<unsigned>(delta));
}
/// Bit l is lane l's predicate. Collective.
SERAPH_DEVICE uint32_t ballot(bool predicate, uint32_t mask = kFullWarp) { return __ballot_sync(mask, predicate); }
SERAPH_DEVICE bool any(bool predicate, uint32_t mask = kFullWarp) { return __any_sync(mask, predicate) != 0; }
SERAPH_DEVICE bool all(bool predicate, uint32_t mask = kFullWarp) { return __all_sync(mask, predicate) != 0; }

/// ldmatrix: N (1, 2 or 4) matrices of 8 rows x 16 bytes. Lane l gives row l % 8 of matrix l / 8 as x[i] (16-byte
/// aligned; lanes past 8 N are ignored) and gets elements 2q, 2q+1 of row g of each matrix. Collective.
template <int N, typename T, typename I>
SERAPH_DEVICE void load_matrix(Fragment<uint32_t, N>& out, Shared<T> x, I i) {
  const uint32_t row = (x + i).address();
  if constexpr (N == 1) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(out.v[0]) : "r"(row) : "memory");
  } else if constexpr (N == 2) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(out.v[0]), "=r"(out.v[1])
                 : "r"(row)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out.v[0]), "=r"(out.v[1]), "=r"(out.v[2]), "=r"(out.v[3])
                 : "r"(row)
                 : "memory");
  }
}
/// The same, each 8 x 8 matrix of 16-bit elements transposed: the lane gets rows 2q, 2q+1 of column g. Collective.
template <int N, typename T, typename I>
SERAPH_DEVICE void load_matrix_transposed(Fragment<uint32_t, N>& out, Shared<T> x, I i) {
  const uint32_t row = (x + i).address();
  if constexpr (N == 1) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];" : "=r"(out.v[0]) : "r"(row) : "memory");
  } else if constexpr (N == 2) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(out.v[0]), "=r"(out.v[1])
                 : "r"(row)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out.v[0]), "=r"(out.v[1]), "=r"(out.v[2]), "=r"(out.v[3])
                 : "r"(row)
                 : "memory");
  }
}

}  // namespace seraph::cuda

#include "kernels/cuda/ptx_async.h"
#include "kernels/cuda/ptx_math.h"

#endif
