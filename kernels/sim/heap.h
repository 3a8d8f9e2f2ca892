// Device memory of the simulator: allocations in one reserved range of addresses that are never given out twice, each
// filled with 0xCB and followed by unmapped pages, so that use after free and running over the end are seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "kernels/sim/shadow.h"

namespace seraph::sim {

struct Allocation {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  uint64_t number = 0;  // the n-th allocation of the device
  bool pinned = false;  // host memory that the device reaches: the host writes it unseen
  bool freed = false;
};

class Heap {
 public:
  /// `bytes_max` limits what is allocated at one time, pinned memory not counted.
  explicit Heap(int64_t bytes_max);
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  ~Heap();

  /// Null when it does not fit.
  void* allocate(int64_t bytes, bool pinned);
  /// False when `data` is not the begin of a living allocation of that kind.
  bool release(void* data, bool pinned);

  /// The allocation around the address, living or freed; null when there is none.
  const Allocation* find(uintptr_t address) const;
  /// Null when [address, address + bytes) lies in one living allocation, else what is wrong, in words.
  std::string describe_breach(uintptr_t address, int64_t bytes) const;
  bool contains(uintptr_t address) const { return address >= base_ && address < base_ + reserved_; }

  Shadow& shadow() { return shadow_; }
  int64_t bytes_used() const { return bytes_used_; }
  int64_t pinned_bytes() const { return pinned_bytes_; }
  int64_t bytes_max() const { return bytes_max_; }
  int64_t num_living() const { return num_living_; }
  /// Ever, freed ones included.
  int64_t num_allocated() const { return static_cast<int64_t>(allocations_.size()); }

 private:
  int64_t bytes_max_;
  size_t reserved_;
  uintptr_t base_;
  Shadow shadow_;
  uintptr_t next_;
  std::map<uintptr_t, Allocation> allocations_;  // by begin
  mutable const Allocation* recent_[4] = {};     // where the last lookups ended; map nodes stay where they are
  mutable uint32_t next_recent_ = 0;
  int64_t bytes_used_ = 0;
  int64_t pinned_bytes_ = 0;
  int64_t num_living_ = 0;
};

}  // namespace seraph::sim
