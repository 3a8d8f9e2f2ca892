// What a launch cost, counted and not timed: bytes, sectors, bank conflicts, instructions. Accesses of the 32 lanes of
// a warp at one place in the source, the n-th time each lane comes there, count as one instruction.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/sim/access.h"

namespace seraph::sim {

struct LaunchStats {
  std::string kernel = {};
  Index3 grid = {};
  Index3 block = {};
  int64_t global_bytes_read = 0;     // distinct bytes, in words: what must come from DRAM at least once
  int64_t global_bytes_written = 0;  // the same for writes
  int64_t sectors_read = 0;          // 32-byte sectors over all warp instructions
  int64_t sectors_written = 0;
  int64_t sectors_min = 0;        // the fewest sectors those instructions could have touched, reads and writes
  int64_t shared_wavefronts = 0;  // passes over the banks, conflicts included
  int64_t bank_conflicts = 0;     // wavefronts beyond what the width of the access needs
  int64_t shared_bytes = 0;       // static and dynamic, of the largest block
  int64_t mma_instructions = 0;   // of warps
  int64_t mma_multiply_adds = 0;
  int64_t warp_collectives = 0;
  int64_t block_barriers = 0;
  int64_t atomics = 0;  // of threads
  int64_t thread_accesses = 0;

  double sectors_ratio() const {
    return sectors_min == 0 ? 1.0
                            : static_cast<double>(sectors_read + sectors_written) / static_cast<double>(sectors_min);
  }
  void add(const LaunchStats& other);
};

/// The place that causes the most of an excess.
struct SiteCost {
  Site site;
  int64_t excess_sectors = 0;
  int64_t bank_conflicts = 0;
};
using SiteCosts = std::vector<SiteCost>;
SiteCost& cost_at(SiteCosts& costs, const Site& site);

/// Extra passes when up to 32 lanes access `bytes` each; null addresses are lanes that take no part.
struct Wavefronts {
  int32_t total = 0;
  int32_t conflicts = 0;
};
Wavefronts count_wavefronts(const uintptr_t* addresses, uint32_t bytes);

/// Gathers the accesses of one warp between two points that all its lanes reach.
class AccessCounter {
 public:
  void add(uint32_t lane, const Access& access, const Site& site);
  /// All lanes are at one point: adds the costs and starts anew.
  void flush(LaunchStats& stats, SiteCosts& costs);
  /// Forgets everything (a block that failed).
  void clear();

 private:
  using Addresses = std::array<uintptr_t, 32>;
  struct Place {
    uintptr_t key;
    Site site;
    uint32_t bytes;
    Space space;
    AccessKind kind;
    std::array<uint32_t, 32> visits;  // of each lane
    std::vector<Addresses> instructions;
    uint32_t num_instructions;
  };
  Place& place_of(const Access& access, const Site& site);

  std::vector<Place> places_;
  size_t latest_ = 0;
};

}  // namespace seraph::sim
