// The one door through which simulated threads touch memory: bounds, alignment, written-before and race checks, and
// the counting of sectors and bank conflicts. Called by the accessors; ends the block with fail() on a defect.
#pragma once

#include <cstdint>

#include "kernels/sim/thread.h"

namespace seraph::sim {

enum class Space : uint8_t { kGlobal, kShared };
enum class AccessKind : uint8_t { kRead, kWrite, kAtomic };

/// The memory that an accessor may touch.
struct Extent {
  uintptr_t begin = 0;
  uintptr_t end = 0;
};

struct Access {
  uintptr_t address;
  uint32_t bytes;  // 1, 2, 4, 8 or 16; the address is a multiple of it
  Space space;
  AccessKind kind;
  bool counted;  // false where the instruction counts its own cost (ldmatrix)
};

void check_access(const Access& access, const Extent& extent, const Site& site);

/// A shared array of the current block: the same memory for every thread that asks with the same key.
Extent static_shared(const void* key, uint32_t bytes);
/// The current block's dynamic shared memory.
Extent dynamic_shared_bytes();

}  // namespace seraph::sim
