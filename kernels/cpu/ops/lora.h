// Low-rank deltas of rows: inner = A x, then B inner. Every sum has one order whatever the batch: over the inputs in 16
// lanes ascending, over the rank ascending. Included by instances only. Source: Hu et al. 2021, arXiv:2106.09685;
// Chen et al. 2023 (Punica), arXiv:2310.18547.
#pragma once

#include "kernels/cpu/simd/common.h"

namespace seraph::cpu::SERAPH_ISA {

inline float lora_dot(const LoraJob& job, int64_t row, const LoraMatrices& part, int64_t rank) {
  F32 sum = zero();
  for (int64_t i = 0; i < job.k; i += 16) {
    const F32 x = load_any_first(job.x, row * job.x_stride + i, job.x_type, job.k - i);
    sum = fma(load_any_first(part.a, rank * job.k + i, job.weight_type, job.k - i), x, sum);
  }
  return sum_lanes(sum) * part.scale;
}

void lora_delta(const LoraJob& job, int64_t row_begin, int64_t row_end) {
  for (int64_t row = row_begin; row < row_end; ++row) {
    const LoraMatrices* parts = job.parts[row];
    if (parts == nullptr) continue;
    int64_t begin = 0;
    for (int32_t p = 0; p < job.num_parts; ++p) {
      const LoraMatrices& part = parts[p];
      float* inner = job.inner + (row * job.num_parts + p) * job.rank_max;
      const int32_t rank = part.a == nullptr ? 0 : part.rank;
      for (int32_t r = 0; r < rank; ++r) inner[r] = lora_dot(job, row, part, r);
      const int64_t count = job.part_end[p] - begin;
      for (int64_t i = 0; i < count; i += 16) {
        F32 sum = zero();
        for (int32_t r = 0; r < rank; ++r) {
          sum = fma(load_any_first(part.b, r * count + i, job.weight_type, count - i), splat(inner[r]), sum);
        }
        store_first(job.delta + row * job.n + begin + i, sum, count - i);
      }
      begin = job.part_end[p];
    }
  }
}

}  // namespace seraph::cpu::SERAPH_ISA
