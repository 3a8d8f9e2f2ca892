#include <cmath>

#include "kernels/cpu/sampler.h"

namespace seraph::cpu {

PhiloxWords philox4x32(PhiloxWords counter, uint32_t key_low, uint32_t key_high, int32_t rounds) {
  PhiloxWords c = counter;
  for (int32_t round = 0; round < rounds; ++round) {
    const uint64_t first = uint64_t{c.word[0]} * 0xD2511F53U;
    const uint64_t second = uint64_t{c.word[2]} * 0xCD9E8D57U;
    c = {{static_cast<uint32_t>(second >> 32) ^ c.word[1] ^ key_low, static_cast<uint32_t>(second),
          static_cast<uint32_t>(first >> 32) ^ c.word[3] ^ key_high, static_cast<uint32_t>(first)}};
    key_low += 0x9E3779B9U;
    key_high += 0xBB67AE85U;
  }
  return c;
}

float gumbel_noise(uint32_t word) {
  const float u = std::fmin(std::fma(static_cast<float>(word), 0x1p-32F, 0x1p-33F), 1.0F - 0x1p-24F);
  return static_cast<float>(-std::log(-std::log1p(-static_cast<double>(u))));
}

}  // namespace seraph::cpu
