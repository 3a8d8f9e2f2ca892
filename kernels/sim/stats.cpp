#include "kernels/sim/stats.h"

#include <algorithm>

namespace seraph::sim {
namespace {

constexpr uintptr_t kSectorBytes = 32;
constexpr uintptr_t kBankBytes = 4;
constexpr size_t kBanks = 32;

/// Distinct values of the first `count`, which are sorted in place.
template <size_t N>
size_t count_distinct(std::array<uintptr_t, N>& values, size_t count) {
  std::sort(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count));
  return static_cast<size_t>(std::unique(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count)) -
                             values.begin());
}

struct Sectors {
  int64_t touched = 0;
  int64_t fewest = 0;
};

Sectors count_sectors(const std::array<uintptr_t, 32>& addresses, uint32_t bytes) {
  std::array<uintptr_t, 32> elements;
  std::array<uintptr_t, 32> sectors;
  size_t count = 0;
  for (const uintptr_t address : addresses) {
    if (address == 0) continue;
    elements[count] = address;
    sectors[count++] = address / kSectorBytes;  // an aligned access of at most 16 bytes lies in one sector
  }
  const auto distinct_bytes = static_cast<int64_t>(count_distinct(elements, count) * bytes);
  return {static_cast<int64_t>(count_distinct(sectors, count)),
          (distinct_bytes + static_cast<int64_t>(kSectorBytes) - 1) / static_cast<int64_t>(kSectorBytes)};
}

}  // namespace

void LaunchStats::add(const LaunchStats& other) {
  global_bytes_read += other.global_bytes_read;
  global_bytes_written += other.global_bytes_written;
  sectors_read += other.sectors_read;
  sectors_written += other.sectors_written;
  sectors_min += other.sectors_min;
  shared_wavefronts += other.shared_wavefronts;
  bank_conflicts += other.bank_conflicts;
  shared_bytes = std::max(shared_bytes, other.shared_bytes);
  mma_instructions += other.mma_instructions;
  mma_multiply_adds += other.mma_multiply_adds;
  warp_collectives += other.warp_collectives;
  block_barriers += other.block_barriers;
  atomics += other.atomics;
  thread_accesses += other.thread_accesses;
}

SiteCost& cost_at(SiteCosts& costs, const Site& site) {
  for (SiteCost& cost : costs) {
    if (cost.site.key() == site.key()) return cost;
  }
  return costs.emplace_back(SiteCost{site});
}

Wavefronts count_wavefronts(const uintptr_t* addresses, uint32_t bytes) {
  // Wide accesses are served by groups of lanes that together ask for at most 128 bytes.
  const size_t lanes_per_pass = bytes <= kBankBytes ? 32 : 32 * kBankBytes / bytes;
  Wavefronts result;
  for (size_t first = 0; first < 32; first += lanes_per_pass) {
    std::array<uintptr_t, 32> words;
    size_t count = 0;
    for (size_t lane = first; lane < first + lanes_per_pass; ++lane) {
      if (addresses[lane] == 0) continue;
      for (uintptr_t at = 0; at < std::max<uintptr_t>(bytes, kBankBytes); at += kBankBytes) {
        words[count++] = (addresses[lane] + at) / kBankBytes;
      }
    }
    if (count == 0) continue;
    const size_t distinct = count_distinct(words, count);
    std::array<int32_t, kBanks> load = {};
    for (size_t i = 0; i < distinct; ++i) ++load[words[i] % kBanks];
    const int32_t passes = *std::max_element(load.begin(), load.end());
    result.total += passes;
    result.conflicts += passes - 1;
  }
  return result;
}

AccessCounter::Place& AccessCounter::place_of(const Access& access, const Site& site) {
  const auto fits = [&](const Place& place) {
    return place.key == site.key() && place.bytes == access.bytes && place.space == access.space &&
           place.kind == access.kind;
  };
  // A lane mostly comes to the same place again or goes on to the next.
  for (size_t i = 0; i < places_.size(); ++i) {
    const size_t at = latest_ + i < places_.size() ? latest_ + i : latest_ + i - places_.size();
    if (fits(places_[at])) {
      latest_ = at;
      return places_[at];
    }
  }
  latest_ = places_.size();
  return places_.emplace_back(Place{site.key(), site, access.bytes, access.space, access.kind, {}, {}, 0});
}

void AccessCounter::add(uint32_t lane, const Access& access, const Site& site) {
  Place& place = place_of(access, site);
  const uint32_t visit = place.visits[lane]++;
  if (visit >= place.num_instructions) {
    place.num_instructions = visit + 1;
    if (place.instructions.size() < place.num_instructions) place.instructions.emplace_back();
    place.instructions[visit].fill(0);
  }
  place.instructions[visit][lane] = access.address;
}

void AccessCounter::flush(LaunchStats& stats, SiteCosts& costs) {
  for (Place& place : places_) {
    if (place.num_instructions == 0) continue;
    int64_t excess_sectors = 0;
    int64_t conflicts = 0;
    for (uint32_t i = 0; i < place.num_instructions; ++i) {
      if (place.space == Space::kShared) {
        const Wavefronts wavefronts = count_wavefronts(place.instructions[i].data(), place.bytes);
        stats.shared_wavefronts += wavefronts.total;
        conflicts += wavefronts.conflicts;
        continue;
      }
      const Sectors sectors = count_sectors(place.instructions[i], place.bytes);
      (place.kind == AccessKind::kRead ? stats.sectors_read : stats.sectors_written) += sectors.touched;
      stats.sectors_min += sectors.fewest;
      excess_sectors += sectors.touched - sectors.fewest;
    }
    stats.bank_conflicts += conflicts;
    if (conflicts > 0 || excess_sectors > 0) {
      SiteCost& cost = cost_at(costs, place.site);
      cost.bank_conflicts += conflicts;
      cost.excess_sectors += excess_sectors;
    }
    place.num_instructions = 0;
    place.visits.fill(0);
  }
}

void AccessCounter::clear() {
  places_.clear();
  latest_ = 0;
}

}  // namespace seraph::sim
