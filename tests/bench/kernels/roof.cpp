#include "tests/bench/kernels/roof.h"

#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/memory.h"

namespace seraph::bench {
namespace {

/// The best of several runs of `work(thread)` on all threads at once.
double best_time(int32_t threads, const std::function<void(int32_t)>& work) {
  double best = 1e9;
  for (int32_t run = 0; run < 30; ++run) {
    const double begin = seconds(threads == 1);
    std::vector<std::thread> pool;
    for (int32_t i = 1; i < threads; ++i) pool.emplace_back(work, i);
    work(0);
    for (std::thread& t : pool) t.join();
    best = std::min(best, seconds(threads == 1) - begin);
  }
  return best;
}

__attribute__((target("avx2"))) int64_t read_all(const char* data, int64_t bytes) {
  __m256i a = _mm256_setzero_si256();
  __m256i b = a;
  for (int64_t i = 0; i + 128 <= bytes; i += 128) {
    const auto* p = reinterpret_cast<const __m256i*>(data + i);
    a = _mm256_xor_si256(a, _mm256_xor_si256(_mm256_load_si256(p), _mm256_load_si256(p + 1)));
    b = _mm256_xor_si256(b, _mm256_xor_si256(_mm256_load_si256(p + 2), _mm256_load_si256(p + 3)));
  }
  return _mm256_extract_epi64(_mm256_xor_si256(a, b), 0);
}

constexpr int64_t kRounds = 3'000'000;
constexpr int kChains = 16;

__attribute__((target("avx512f,avx512bf16"))) float multiply_bf16() {
  __m512 sum[kChains];
#pragma GCC unroll 16
  for (__m512& s : sum) s = _mm512_setzero_ps();
  const __m512bh x = _mm512_cvtne2ps_pbh(_mm512_set1_ps(1.0F), _mm512_set1_ps(0.5F));
  for (int64_t i = 0; i < kRounds / kChains; ++i) {
#pragma GCC unroll 16
    for (int c = 0; c < kChains; ++c) {
      sum[c] = _mm512_dpbf16_ps(sum[c], x, x);
      __asm__ volatile("" : "+v"(sum[c]));
    }
  }
  return _mm512_cvtss_f32(sum[0]);
}

__attribute__((target("avx512f"))) float multiply_avx512() {
  __m512 sum[kChains];
#pragma GCC unroll 16
  for (__m512& s : sum) s = _mm512_setzero_ps();
  const __m512 x = _mm512_set1_ps(0.5F);
  for (int64_t i = 0; i < kRounds / kChains; ++i) {
#pragma GCC unroll 16
    for (int c = 0; c < kChains; ++c) {
      sum[c] = _mm512_fmadd_ps(x, x, sum[c]);
      __asm__ volatile("" : "+v"(sum[c]));
    }
  }
  return _mm512_cvtss_f32(sum[0]);
}

__attribute__((target("avx2,fma"))) float multiply_avx2() {
  __m256 sum[12];
#pragma GCC unroll 16
  for (__m256& s : sum) s = _mm256_setzero_ps();
  const __m256 x = _mm256_set1_ps(0.5F);
  for (int64_t i = 0; i < kRounds / 12; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < 12; ++c) {
      sum[c] = _mm256_fmadd_ps(x, x, sum[c]);
      __asm__ volatile("" : "+x"(sum[c]));
    }
  }
  return _mm256_cvtss_f32(sum[0]);
}

}  // namespace

Roof measure_roof(int32_t threads) {
  Roof roof;
  std::atomic<int64_t> sink{0};
  constexpr int64_t kBytes = int64_t{512} << 20;
  {
    const Buffer memory = cpu::allocate_memory(kBytes);
    const int64_t share = kBytes / threads / 128 * 128;
    std::fill_n(static_cast<char*>(memory.data()), kBytes, 1);
    const double time = best_time(threads, [&](int32_t thread) {
      sink += read_all(static_cast<const char*>(memory.data()) + thread * share, share);
    });
    roof.read_gb_s = static_cast<double>(share * threads) / time / 1e9;
  }
  const cpu::IsaLevel level = cpu::detect_isa();
  const double work = static_cast<double>(kRounds) * threads / 1e9;
  if (level >= cpu::IsaLevel::kAvx512Bf16) {
    roof.bf16_gflop_s = work * 64 / best_time(threads, [&](int32_t) { sink += static_cast<int64_t>(multiply_bf16()); });
  }
  if (level >= cpu::IsaLevel::kAvx512) {
    roof.f32_gflop_s =
        work * 32 / best_time(threads, [&](int32_t) { sink += static_cast<int64_t>(multiply_avx512()); });
  } else {
    roof.f32_gflop_s = work * 16 / best_time(threads, [&](int32_t) { sink += static_cast<int64_t>(multiply_avx2()); });
  }
  return roof;
}

}  // namespace seraph::bench
