#include "kernels/sim/warp_ops.h"

#include <bit>
#include <cstring>
#include <vector>

#include "kernels/sim/block.h"

namespace seraph::sim {
namespace {

Block& block() { return *current_thread->block; }

struct ShuffleLane {
  uint64_t bits;
  int32_t source;
  uint64_t result;
  bool source_present;
};

struct BallotLane {
  bool predicate;
  uint32_t result;
};

struct MatrixLane {
  uintptr_t row;
  uint32_t* out;
  int32_t count;
  bool transposed;
};

struct MmaLane {
  MmaType type;
  void* acc;
  const uint32_t* a;
  const uint32_t* b;
};

/// Adds the shared memory passes of reading `count` matrices: each takes its 8 rows of 16 bytes in one.
void count_matrix_reads(void* const* lanes, int32_t count, const Site& site) {
  LaunchRun& launch = block().launch();
  for (int32_t matrix = 0; matrix < count; ++matrix) {
    uintptr_t rows[32] = {};
    for (int32_t row = 0; row < 8; ++row) rows[row] = static_cast<const MatrixLane*>(lanes[matrix * 8 + row])->row;
    const Wavefronts wavefronts = count_wavefronts(rows, 16);
    launch.stats.shared_wavefronts += wavefronts.total;
    launch.stats.bank_conflicts += wavefronts.conflicts;
    if (wavefronts.conflicts > 0) cost_at(launch.costs, site).bank_conflicts += wavefronts.conflicts;
  }
}

void read_matrices(void* const* lanes, uint32_t) {
  const auto& first = *static_cast<const MatrixLane*>(lanes[0]);
  for (int32_t matrix = 0; matrix < first.count; ++matrix) {
    uint16_t elements[8][8];
    for (int32_t row = 0; row < 8; ++row) {
      const auto& provider = *static_cast<const MatrixLane*>(lanes[matrix * 8 + row]);
      std::memcpy(elements[row], reinterpret_cast<const void*>(provider.row), 16);
    }
    for (int32_t lane = 0; lane < 32; ++lane) {
      const int32_t g = lane / 4;
      const int32_t q = lane % 4 * 2;
      const uint16_t lo = first.transposed ? elements[q][g] : elements[g][q];
      const uint16_t hi = first.transposed ? elements[q + 1][g] : elements[g][q + 1];
      static_cast<const MatrixLane*>(lanes[lane])->out[matrix] = lo | static_cast<uint32_t>(hi) << 16;
    }
  }
}

float element_16(uint32_t word, int32_t half, MmaType type) {
  const auto bits = static_cast<uint16_t>(half == 0 ? word : word >> 16);
  return type == MmaType::kF16 ? cuda::to_float(cuda::half_t{bits}) : cuda::to_float(cuda::bf16_t{bits});
}

/// Puts the registers of all lanes where they belong: A [16][k], and B as [k][8]. `unpack(word, i)` is element i of
/// the `per_word` elements of a register.
template <typename Unpack, typename Element>
void gather_fragments(void* const* lanes, int32_t per_word, const Unpack& unpack, Element* a, Element* b) {
  const int32_t k_half = per_word * 4;
  const int32_t k = k_half * 2;
  for (int32_t lane = 0; lane < 32; ++lane) {
    const auto& registers = *static_cast<const MmaLane*>(lanes[lane]);
    const int32_t g = lane / 4;
    const int32_t first = lane % 4 * per_word;
    for (int32_t i = 0; i < per_word; ++i) {
      for (int32_t part = 0; part < 4; ++part) {
        a[(g + part % 2 * 8) * k + first + i + part / 2 * k_half] = unpack(registers.a[part], i);
      }
      for (int32_t part = 0; part < 2; ++part) {
        b[(first + i + part * k_half) * 8 + g] = unpack(registers.b[part], i);
      }
    }
  }
}

/// acc += A B. The sum over k is exact enough in Sum (double, or integers) to be rounded once, with the accumulator.
template <typename Sum, typename Acc, typename Element>
void multiply_add(void* const* lanes, int32_t k, const Element* a, const Element* b) {
  Sum out[16][8];
  for (int32_t row = 0; row < 16; ++row) {
    for (Sum& sum : out[row]) sum = 0;
    for (int32_t i = 0; i < k; ++i) {
      const Sum factor = a[row * k + i];
      for (int32_t column = 0; column < 8; ++column) out[row][column] += factor * static_cast<Sum>(b[i * 8 + column]);
    }
  }
  for (int32_t lane = 0; lane < 32; ++lane) {
    Acc* acc = static_cast<Acc*>(static_cast<const MmaLane*>(lanes[lane])->acc);
    for (int32_t i = 0; i < 4; ++i) {
      const Sum sum = out[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
      acc[i] = static_cast<Acc>(static_cast<Sum>(acc[i]) + sum);
    }
  }
  LaunchStats& stats = block().launch().stats;
  ++stats.mma_instructions;
  stats.mma_multiply_adds += int64_t{16} * 8 * k;
}

void mma_work(void* const* lanes, uint32_t) {
  const MmaType type = static_cast<const MmaLane*>(lanes[0])->type;
  float a[16 * 32];
  float b[32 * 8];
  if (type == MmaType::kE4m3) {
    const auto unpack = [](uint32_t word, int32_t i) {
      return cuda::to_float(cuda::fp8_t{static_cast<uint8_t>(word >> 8 * i)});
    };
    gather_fragments(lanes, 4, unpack, a, b);
    multiply_add<double, float>(lanes, 32, a, b);
    return;
  }
  gather_fragments(
      lanes, 2, [type](uint32_t word, int32_t i) { return element_16(word, i, type); }, a, b);
  multiply_add<double, float>(lanes, 16, a, b);
}

void mma_s8_work(void* const* lanes, uint32_t) {
  int8_t a[16 * 32];
  int8_t b[32 * 8];
  gather_fragments(
      lanes, 4, [](uint32_t word, int32_t i) { return static_cast<int8_t>(word >> 8 * i); }, a, b);
  multiply_add<int64_t, int32_t>(lanes, 32, a, b);
}

}  // namespace

void join_warp(const char* what, uint32_t mask, void* payload, CollectiveWork work, const Site& site) {
  block().join_warp(what, mask, payload, work, site);
}
void join_block(int32_t barrier, int32_t num_threads, const Site& site) {
  block().join_block(barrier, num_threads, site);
}
void order_warp_memory() { block().order_warp_memory(*current_thread->warp); }
void note_fence() { block().note_fence(); }
void yield_to_other_threads(const Site& site) { block().yield(site); }
void check_access(const Access& access, const Extent& extent, const Site& site) {
  if (current_thread == nullptr) fail("device memory is touched by host code", site);
  block().check(access, extent, site);
}
Extent static_shared(const void* key, uint32_t bytes) { return block().static_shared(key, bytes); }
Extent dynamic_shared_bytes() { return block().dynamic_shared(); }

uint64_t shuffle_bits(uint64_t bits, int32_t source_lane, uint32_t mask, const Site& site) {
  ShuffleLane mine = {bits, source_lane, 0, true};
  const auto work = [](void* const* lanes, uint32_t present) {
    for (uint32_t rest = present; rest != 0; rest &= rest - 1) {
      auto& lane = *static_cast<ShuffleLane*>(lanes[std::countr_zero(rest)]);
      lane.source_present = (present >> lane.source & 1U) != 0;
      if (lane.source_present) lane.result = static_cast<const ShuffleLane*>(lanes[lane.source])->bits;
    }
  };
  block().join_warp("shuffle", mask, &mine, work, site);
  if (!mine.source_present) {
    fail("shuffle reads lane " + std::to_string(source_lane) + ", which its mask does not have", site);
  }
  return mine.result;
}

uint32_t ballot_bits(bool predicate, uint32_t mask, const Site& site) {
  BallotLane mine = {predicate, 0};
  const auto work = [](void* const* lanes, uint32_t present) {
    uint32_t bits = 0;
    for (uint32_t rest = present; rest != 0; rest &= rest - 1) {
      const int lane = std::countr_zero(rest);
      if (static_cast<const BallotLane*>(lanes[lane])->predicate) bits |= 1U << lane;
    }
    for (uint32_t rest = present; rest != 0; rest &= rest - 1) {
      static_cast<BallotLane*>(lanes[std::countr_zero(rest)])->result = bits;
    }
  };
  block().join_warp("ballot", mask, &mine, work, site);
  return mine.result;
}

void load_matrix_registers(uint32_t* out, int32_t count, bool transposed, uintptr_t row, const Extent& extent,
                           const Site& site) {
  const Thread& self = *current_thread;
  if (static_cast<int32_t>(self.lane) < count * 8) {
    check_access({row, 16, Space::kShared, AccessKind::kRead, false}, extent, site);
  }
  struct Payload {
    MatrixLane lane;
    const Site* site;
  };
  Payload mine = {{row, out, count, transposed}, &site};
  const auto work = [](void* const* lanes, uint32_t mask) {
    read_matrices(lanes, mask);
    // The lane is the payload's first member, so one pointer serves both.
    const auto* first = static_cast<const Payload*>(lanes[0]);
    count_matrix_reads(lanes, first->lane.count, *first->site);
  };
  block().join_warp("load_matrix", 0xFFFFFFFFU, &mine, work, site);
}

void mma_registers(MmaType type, float* acc, const uint32_t* a, const uint32_t* b, const Site& site) {
  MmaLane mine = {type, acc, a, b};
  block().join_warp("mma", 0xFFFFFFFFU, &mine, mma_work, site);
}

void mma_s8_registers(int32_t* acc, const uint32_t* a, const uint32_t* b, const Site& site) {
  MmaLane mine = {MmaType::kE4m3, acc, a, b};
  block().join_warp("mma_s8", 0xFFFFFFFFU, &mine, mma_s8_work, site);
}

void copy_async_bytes(uintptr_t target, const Extent& target_extent, uintptr_t source, const Extent& source_extent,
                      uint32_t bytes, uint32_t valid_bytes, const Site& site) {
  const uint32_t group = block().state_of(*current_thread).open_group;
  block().copy_async({target, source, bytes, valid_bytes, group, site}, target_extent, source_extent);
}
void commit_async_group() { ++block().state_of(*current_thread).open_group; }
void wait_async_groups(int32_t groups_left, const Site& site) {
  block().finish_copies(static_cast<uint32_t>(groups_left), site);
}

}  // namespace seraph::sim
