// The noise of a draw: Philox4x32-10 and its Gumbel transform, as Backend::sample() defines them.
// Source: Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3".
#pragma once

#include "kernels/cuda/types.h"

#ifdef SERAPH_DEVICE_CODE

namespace seraph::cuda {

struct PhiloxWords {
  uint32_t word[4];
};

SERAPH_DEVICE PhiloxWords philox(PhiloxWords c, uint32_t key_low, uint32_t key_high) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint64_t first = static_cast<uint64_t>(c.word[0]) * 0xD2511F53U;
    const uint64_t second = static_cast<uint64_t>(c.word[2]) * 0xCD9E8D57U;
    c = {{static_cast<uint32_t>(second >> 32) ^ c.word[1] ^ key_low, static_cast<uint32_t>(second),
          static_cast<uint32_t>(first >> 32) ^ c.word[3] ^ key_high, static_cast<uint32_t>(first)}};
    key_low += 0x9E3779B9U;
    key_high += 0xBB67AE85U;
  }
  return c;
}

SERAPH_DEVICE float uniform_of(uint32_t word) {
  return fminf(fmaf(static_cast<float>(word), 0x1p-32F, 0x1p-33F), 1.0F - 0x1p-24F);
}
/// The noise as the contract has it: logarithms in double, rounded once.
SERAPH_DEVICE float gumbel_exact(uint32_t word) {
  return static_cast<float>(-log(-log1p(-static_cast<double>(uniform_of(word)))));
}
/// Within 1e-5 of gumbel_exact(), in f32.
SERAPH_DEVICE float gumbel_near(uint32_t word) { return -logf(-log1pf(-uniform_of(word))); }

}  // namespace seraph::cuda

#endif
