// What is known about memory that simulated threads touch: which bytes were ever written, and who wrote and read each
// byte last, at which point between barriers. Two accesses race when one writes, no barrier lies between them, and
// they are not both atomic. Kept per 4-byte word, and per byte where threads touch parts of a word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/sim/access.h"

namespace seraph::sim {

/// How far another block's writes are visible: it passed a fence and then an atomic operation.
struct BlockRelease {
  uint32_t epoch = 0;
  uint32_t time = 0;  // 0: never
};

/// When and by whom an access happens. Epochs count barriers: those of a block raise all its warps' epochs to one
/// common new value, those of a warp only its own.
struct Clock {
  uint32_t serial = 0;                                  // of the block, unique in the process's life
  uint32_t thread = 0;                                  // number in the block
  uint32_t epoch = 0;                                   // of the thread's warp
  uint32_t block_epoch = 0;                             // at the block's last barrier
  uint32_t first_serial = 0;                            // of the launch's first block: what is older is ordered
  uint32_t acquire_time = 0;                            // of the block's last atomic operation
  const std::vector<BlockRelease>* releases = nullptr;  // by serial - first_serial
};

/// One side of a race.
struct Record {
  uint32_t serial = 0;
  uint32_t thread = 0;  // or a code below
  uint32_t epoch = 0;
};
constexpr uint32_t kWarpCode = 0x400;     // + warp: several lanes of it
constexpr uint32_t kManyThreads = 0xFFC;  // of one block
constexpr uint32_t kManyBlocks = 0xFFD;
constexpr uint32_t kAtomicThread = 0xFFF;  // atomic operations never race with each other
constexpr uint32_t kEpochMax = (1U << 20) - 1;

enum class Problem : uint8_t { kNone, kUnwritten, kRace };
struct Finding {
  Problem problem = Problem::kNone;
  uintptr_t address = 0;
  Record other = {};
  bool other_wrote = false;
  bool first_touch = false;  // no access of this kind to the first word in this launch before
};

class Shadow {
 public:
  /// Covers [base, base + bytes), a multiple of 4; costs address space only until memory is touched.
  Shadow(uintptr_t base, size_t bytes);
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;
  ~Shadow();

  /// Checks and notes one access. Unwritten memory is let pass where `check_written` is false.
  Finding touch(const Clock& clock, uintptr_t address, uint32_t bytes, AccessKind kind, bool check_written);
  /// For copies and for allocation: no races are looked for.
  void set_written(uintptr_t address, size_t bytes, bool written);
  void copy_written(uintptr_t to, uintptr_t from, size_t bytes);
  bool is_written(uintptr_t address, size_t bytes) const;

 private:
  struct Entry {
    uint64_t writer;
    uint64_t reader;
  };
  static constexpr uint8_t kWritten = 0x0F;  // a bit per byte of the word
  static constexpr uint8_t kSplit = 0x10;    // the word's history is in bytes_

  void split(size_t word);
  Finding check(Entry& entry, const Clock& clock, AccessKind kind, uintptr_t address) const;

  uintptr_t base_;
  size_t num_words_;
  uint8_t* state_;  // per word
  Entry* words_;
  Entry* bytes_;
};

}  // namespace seraph::sim
