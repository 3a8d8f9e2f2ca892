// Part of ptx.h for the simulator: asynchronous copies and arithmetic of one thread.
#pragma once

namespace seraph::cuda {

template <int kBytes, typename T, typename U, std::integral I, std::integral J>
void copy_async(const Shared<T>& target, I to, const Global<U>& source, J from, int valid_bytes = kBytes,
                sim::Site site = {}) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  sim::copy_async_bytes(reinterpret_cast<uintptr_t>(target.raw() + to), target.extent(),
                        reinterpret_cast<uintptr_t>(source.raw() + from), source.extent(), kBytes,
                        static_cast<uint32_t>(valid_bytes), site);
}
inline void commit_async() { sim::commit_async_group(); }
template <int kGroups>
void wait_async(sim::Site site = {}) {
  sim::wait_async_groups(kGroups, site);
}

inline void wait_for_previous_kernel() {}
inline void allow_next_kernel() {}

template <typename T>
uint32_t fma_pair(uint32_t a, uint32_t b, uint32_t c) {
  const FloatPair x = unpack_pair<T>(a);
  const FloatPair y = unpack_pair<T>(b);
  const FloatPair z = unpack_pair<T>(c);
  // Products of 11-bit mantissas are exact in double. On the way to 16 bits an inexact float is made odd: so the last
  // rounding cannot mistake what lies beside a halfway case for the case itself.
  const auto fused = [](float p, float q, float r) {
    const double exact = static_cast<double>(p) * static_cast<double>(q) + static_cast<double>(r);
    const auto near = static_cast<float>(exact);
    if (static_cast<double>(near) == exact || (float_bits(near) & 1U) != 0 || !std::isfinite(near)) return near;
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    return std::nextafter(near, exact > static_cast<double>(near) ? kInfinity : -kInfinity);
  };
  return pack_pair<T>(fused(x.lo, y.lo, z.lo), fused(x.hi, y.hi, z.hi));
}

inline uint32_t select_bytes(uint32_t a, uint32_t b, uint32_t selector) {
  const uint64_t bytes = static_cast<uint64_t>(b) << 32 | a;
  uint32_t out = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    const uint32_t nibble = selector >> 4 * i & 0xFU;
    uint32_t byte = static_cast<uint32_t>(bytes >> 8 * (nibble & 7U)) & 0xFFU;
    if ((nibble & 8U) != 0) byte = (byte & 0x80U) != 0 ? 0xFFU : 0U;  // prmt's sign replication
    out |= byte << 8 * i;
  }
  return out;
}
template <int kTable>
uint32_t logic3(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t out = 0;
  for (uint32_t i = 0; i < 8; ++i) {
    if ((kTable >> i & 1) == 0) continue;
    out |= ((i & 4U) != 0 ? a : ~a) & ((i & 2U) != 0 ? b : ~b) & ((i & 1U) != 0 ? c : ~c);
  }
  return out;
}
inline int32_t dot4(uint32_t a, uint32_t b, int32_t acc) {
  for (uint32_t i = 0; i < 32; i += 8) {
    acc += static_cast<int32_t>(static_cast<int8_t>(a >> i)) * static_cast<int32_t>(static_cast<int8_t>(b >> i));
  }
  return acc;
}
inline float exp2_fast(float x) { return std::exp2(x); }
inline float rsqrt_fast(float x) { return 1.0F / std::sqrt(x); }
inline float divide_fast(float a, float b) { return a / b; }

}  // namespace seraph::cuda
