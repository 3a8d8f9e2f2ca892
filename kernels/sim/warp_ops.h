// ptx.h for the simulator: the same functions, described there. A collective gathers the lanes of the mask, then the
// last one to arrive does the work of all.
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/sim/accessors.h"

namespace seraph::sim {

/// Makes the arriving lanes wait until all lanes of the mask are here. `work` runs once, with lanes[l] the payload of
/// lane l (null outside of the mask). REQUIRES: payloads live until the function returns.
using CollectiveWork = void (*)(void* const* lanes, uint32_t mask);
void join_warp(const char* what, uint32_t mask, void* payload, CollectiveWork work, const Site& site);
void join_block(int32_t barrier, int32_t num_threads, const Site& site);
void order_warp_memory();
void note_fence();
void yield_to_other_threads(const Site& site);

/// The lane that a shuffle reads must be one of the mask. Returns the raw 64 bits of that lane.
uint64_t shuffle_bits(uint64_t bits, int32_t source_lane, uint32_t mask, const Site& site);
uint32_t ballot_bits(bool predicate, uint32_t mask, const Site& site);
void load_matrix_registers(uint32_t* out, int32_t count, bool transposed, uintptr_t row, const Extent& extent,
                           const Site& site);

enum class MmaType : uint8_t { kF16, kBf16, kE4m3 };
void mma_registers(MmaType type, float* acc, const uint32_t* a, const uint32_t* b, const Site& site);
void mma_s8_registers(int32_t* acc, const uint32_t* a, const uint32_t* b, const Site& site);

void copy_async_bytes(uintptr_t target, const Extent& target_extent, uintptr_t source, const Extent& source_extent,
                      uint32_t bytes, uint32_t valid_bytes, const Site& site);
void commit_async_group();
void wait_async_groups(int32_t groups_left, const Site& site);

}  // namespace seraph::sim

namespace seraph::cuda {

constexpr uint32_t kFullWarp = 0xFFFFFFFFU;

inline int lane_id() { return static_cast<int>(sim::current_thread->lane); }
inline int warp_id() { return static_cast<int>(sim::current_thread->number / 32); }

inline void sync_threads(sim::Site site = {}) { sim::join_block(0, 0, site); }
inline void sync_named(int barrier, int threads, sim::Site site = {}) { sim::join_block(barrier, threads, site); }
inline void sync_warp(uint32_t mask = kFullWarp, sim::Site site = {}) {
  sim::join_warp(
      "sync_warp", mask, nullptr, [](void* const*, uint32_t) { sim::order_warp_memory(); }, site);
}
inline void thread_fence() { sim::note_fence(); }
inline void pause(sim::Site site = {}) { sim::yield_to_other_threads(site); }
template <typename T, std::integral I>
std::remove_const_t<T> load_acquire(const Global<T>& x, I i, sim::Site site = {}) {
  static_assert(sizeof(T) == 4);
  sim::check_access(
      {reinterpret_cast<uintptr_t>(x.raw() + i), sizeof(T), sim::Space::kGlobal, sim::AccessKind::kAtomic, true},
      x.extent(), site);
  return x.raw()[i];
}

template <typename T, std::integral I>
void prefetch(const Global<T>& x, I i, sim::Site site = {}) {
  const auto address = reinterpret_cast<uintptr_t>(x.raw() + i);
  if (address < x.extent().begin || address >= x.extent().end) sim::fail("out of bounds: prefetches", site);
}

template <typename T>
T shuffle_from(T value, int source, uint32_t mask, const sim::Site& site) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = sim::shuffle_bits(bits, source, mask, site);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
template <typename T>
T shuffle(T value, int source_lane, uint32_t mask = kFullWarp, sim::Site site = {}) {
  return shuffle_from(value, source_lane & 31, mask, site);
}
template <typename T>
T shuffle_xor(T value, int lane_bits, uint32_t mask = kFullWarp, sim::Site site = {}) {
  return shuffle_from(value, (lane_id() ^ lane_bits) & 31, mask, site);
}
template <typename T>
T shuffle_down(T value, int delta, uint32_t mask = kFullWarp, sim::Site site = {}) {
  const int source = lane_id() + delta;
  return shuffle_from(value, source < 32 ? source : lane_id(), mask, site);
}
template <typename T>
T shuffle_up(T value, int delta, uint32_t mask = kFullWarp, sim::Site site = {}) {
  const int source = lane_id() - delta;
  return shuffle_from(value, source >= 0 ? source : lane_id(), mask, site);
}
inline uint32_t ballot(bool predicate, uint32_t mask = kFullWarp, sim::Site site = {}) {
  return sim::ballot_bits(predicate, mask, site);
}
inline bool any(bool predicate, uint32_t mask = kFullWarp, sim::Site site = {}) {
  return sim::ballot_bits(predicate, mask, site) != 0;
}
inline bool all(bool predicate, uint32_t mask = kFullWarp, sim::Site site = {}) {
  return sim::ballot_bits(predicate, mask, site) == mask;
}

template <int N, typename T, std::integral I>
void load_matrix(Fragment<uint32_t, N>& out, const Shared<T>& x, I i, sim::Site site = {}) {
  static_assert(N == 1 || N == 2 || N == 4);
  sim::load_matrix_registers(out.v.data(), N, false, reinterpret_cast<uintptr_t>(x.raw() + i), x.extent(), site);
  out.written.set();
}
template <int N, typename T, std::integral I>
void load_matrix_transposed(Fragment<uint32_t, N>& out, const Shared<T>& x, I i, sim::Site site = {}) {
  static_assert(N == 1 || N == 2 || N == 4);
  sim::load_matrix_registers(out.v.data(), N, true, reinterpret_cast<uintptr_t>(x.raw() + i), x.extent(), site);
  out.written.set();
}

template <typename T>
void mma(Fragment<float, 4>& acc, const Fragment<uint32_t, 4>& a, const Fragment<uint32_t, 2>& b, sim::Site site = {}) {
  constexpr sim::MmaType kType = std::is_same_v<T, half_t>   ? sim::MmaType::kF16
                                 : std::is_same_v<T, bf16_t> ? sim::MmaType::kBf16
                                                             : sim::MmaType::kE4m3;
  static_assert(kType != sim::MmaType::kE4m3 || std::is_same_v<T, fp8_t>);
  acc.require_written("mma (accumulator)", site);
  a.require_written("mma (A)", site);
  b.require_written("mma (B)", site);
  sim::mma_registers(kType, acc.v.data(), a.v.data(), b.v.data(), site);
}
inline void mma_s8(Fragment<int32_t, 4>& acc, const Fragment<uint32_t, 4>& a, const Fragment<uint32_t, 2>& b,
                   sim::Site site = {}) {
  acc.require_written("mma_s8 (accumulator)", site);
  a.require_written("mma_s8 (A)", site);
  b.require_written("mma_s8 (B)", site);
  sim::mma_s8_registers(acc.v.data(), a.v.data(), b.v.data(), site);
}

}  // namespace seraph::cuda

#include "kernels/sim/scalar_ops.h"
