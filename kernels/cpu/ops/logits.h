// Passes over a row of logits, and the Gumbel draw. The order of every sum is that of 16 lanes whatever the
// vector width, so that all instruction sets draw the same tokens. Included by instances only.
#pragma once

#include <math.h>

#include "kernels/cpu/simd/common.h"

namespace seraph::cpu::SERAPH_ISA {

/// The largest of 16 lanes' values; NaN never counts.
inline float largest(const float* x, int64_t count) {
  F32 best = splat(-__builtin_inff());
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) best = max(load(x + i), best);  // max(NaN, b) is b
  float result = max_lanes(best);
  for (; i < count; ++i) result = x[i] > result ? x[i] : result;
  return result;
}

int64_t argmax(const float* x, int64_t count) {
  const float value = largest(x, count);
  if (value == -__builtin_inff()) return -1;
  const F32 wanted = splat(value);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const Mask found = at_least(load(x + i), wanted);
    if (found != 0) return i + __builtin_ctz(found);
  }
  while (x[i] != value) ++i;
  return i;
}

/// Sums are folded into a double every kFold vectors: a running f32 sum over 150,000 ids loses digits.
constexpr int64_t kFold = 64;

double exp_sum(const float* x, int64_t count, float max_value) {
  const F32 top = splat(max_value);
  double total = 0.0;
  for (int64_t begin = 0; begin < count; begin += kFold * 16) {
    const int64_t end = begin + kFold * 16 < count ? begin + kFold * 16 : count;
    F32 sum = zero();
    int64_t i = begin;
    for (; i + 16 <= end; i += 16) sum = add(sum, exp(sub(load(x + i), top)));
    if (i < end) {
      const Mask tail = (1U << (end - i)) - 1U;
      sum = add(sum, select(tail, exp(sub(load_first(x + i, end - i), top)), zero()));
    }
    total += static_cast<double>(sum_lanes(sum));
  }
  return total;
}

int64_t count_at_least(const float* x, int64_t count, float value) {
  const F32 border = splat(value);
  int64_t found = 0;
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) found += __builtin_popcount(at_least(load(x + i), border));
  for (; i < count; ++i) found += x[i] >= value ? 1 : 0;
  return found;
}

int64_t select_at_least(const float* x, int64_t count, float value, int32_t* ids, int64_t ids_max) {
  const F32 border = splat(value);
  int64_t found = 0;
  for (int64_t i = 0; i < count; i += 16) {
    const int64_t n = count - i;
    Mask hits = n >= 16 ? at_least(load(x + i), border) : at_least(load_first(x + i, n), border) & ((1U << n) - 1U);
    for (; hits != 0; hits &= hits - 1) {
      if (found < ids_max) ids[found] = static_cast<int32_t>(i + __builtin_ctz(hits));
      ++found;
    }
  }
  return found;
}

void divide(float* x, int64_t count, float divisor) {
  const F32 by = splat(divisor);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) store(x + i, div(load(x + i), by));
  if (i < count) store_first(x + i, div(load_first(x + i, count - i), by), count - i);
}

void profile(const float* x, int64_t count, float max_value, LogitProfile& result) {
  const F32 top = splat(max_value);
  result = LogitProfile{};
  for (int64_t begin = 0; begin < count; begin += kFold * 16) {
    const int64_t end = begin + kFold * 16 < count ? begin + kFold * 16 : count;
    F32 sum[kProfileSteps];
    for (F32& s : sum) s = zero();
    for (int64_t i = begin; i < end; i += 16) {
      const int64_t n = end - i;
      const Mask lanes = n >= 16 ? 0xFFFFU : (1U << n) - 1U;
      const F32 below = sub(load_first(x + i, n), top);
      const F32 weight = exp(below);
      for (int s = 0; s < kProfileSteps; ++s) {
        const Mask in = at_least(below, splat(-kProfileDistance[s])) & lanes;
        result.count[s] += __builtin_popcount(in);
        sum[s] = add(sum[s], select(in, weight, zero()));
      }
    }
    for (int s = 0; s < kProfileSteps; ++s) result.mass[s] += static_cast<double>(sum_lanes(sum[s]));
  }
}

/// Philox4x32-10 of 16 counters (first word varies) under one key. Source: Salmon et al. 2011.
inline void philox(U32 (&c)[4], uint64_t seed) {
  uint32_t key_low = static_cast<uint32_t>(seed);
  uint32_t key_high = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    U32 high0;
    U32 low0;
    U32 high1;
    U32 low1;
    multiply_wide(c[0], 0xD2511F53U, high0, low0);
    multiply_wide(c[2], 0xCD9E8D57U, high1, low1);
    c[0] = exclusive_or(exclusive_or(high1, c[1]), splat_u32(key_low));
    c[1] = low1;
    c[2] = exclusive_or(exclusive_or(high0, c[3]), splat_u32(key_high));
    c[3] = low0;
    key_low += 0x9E3779B9U;
    key_high += 0xBB67AE85U;
  }
}

/// Words of ids [first, first + 64), in order. `first` is a multiple of 4.
inline void noise_words(const DrawJob& job, int64_t first, uint32_t* words) {
  // Lane 4 q + r counts 4 r + q, so that the transposition leaves the ids in order.
  alignas(64) static constexpr uint32_t kLaneCounter[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  U32 c[4] = {add(load_u32(kLaneCounter), splat_u32(static_cast<uint32_t>(first / 4))), splat_u32(job.position),
              splat_u32(job.choice), splat_u32(0)};
  philox(c, job.seed);
  transpose_quads(c);
  for (int r = 0; r < 4; ++r) store_u32(words + r * 16, c[r]);
}

/// The noise of one word. Logarithms in double: their last bit must not depend on the machine's libm.
inline float gumbel(uint32_t word) {
  float u = __builtin_fmaf(static_cast<float>(word), 0x1p-32F, 0x1p-33F);
  u = u < 1.0F - 0x1p-24F ? u : 1.0F - 0x1p-24F;
  return static_cast<float>(-::log(-::log1p(-static_cast<double>(u))));
}

struct Best {
  float score;
  int64_t id;
};

inline void consider(const DrawJob& job, int64_t id, uint32_t word, Best& best) {
  const float score = job.logits[id] + gumbel(word);
  if (score > best.score || (score == best.score && id < best.id)) best = {score, id};
}

/// An id can beat the best score so far only if its noise exceeds best - logit. The noise exceeds y for
/// u < 1 - exp(-exp(-y)) <= exp(-y), so most ids are ruled out by one exp and one comparison, without
/// logarithms. The slack covers the rounding of the sum and of exp.
inline F32 chance(F32 logit, const Best& best) {
  const float slack = 1e-3F + 4e-7F * __builtin_fabsf(best.score);
  return exp(add(sub(logit, splat(best.score)), splat(slack)));
}

int64_t draw(const DrawJob& job, int64_t best_id) {
  alignas(64) uint32_t words[64];
  noise_words(job, best_id / 64 * 64, words);
  Best best = {-__builtin_inff(), best_id};
  consider(job, best_id, words[best_id % 64], best);
  for (int64_t first = 0; first < job.count; first += 64) {
    noise_words(job, first, words);
    for (int64_t i = first; i < first + 64 && i < job.count; i += 16) {
      const int64_t n = job.count - i;
      const Mask lanes = n >= 16 ? 0xFFFFU : (1U << n) - 1U;
      const F32 u = mul(to_float(load_u32(words + i - first)), splat(0x1p-32F));
      Mask hits = at_least(chance(load_first(job.logits + i, n), best), u) & lanes;
      for (; hits != 0; hits &= hits - 1) {
        const int64_t id = i + __builtin_ctz(hits);
        if (job.logits[id] > -__builtin_inff()) consider(job, id, words[id - first], best);
      }
    }
  }
  return best.id;
}

}  // namespace seraph::cpu::SERAPH_ISA
