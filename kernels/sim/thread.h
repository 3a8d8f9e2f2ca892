// What a simulated CUDA thread knows about itself, and how code that runs in one reports a defect. The pointer to the
// running thread is thread_local because CUDA's built-in variables are: a kernel takes no context argument.
#pragma once

#include <bit>
#include <cstdint>
#include <source_location>
#include <string>

namespace seraph::sim {

struct Index3 {
  uint32_t x = 0;
  uint32_t y = 0;
  uint32_t z = 0;
};

/// Where in the kernel's source something happens; two accesses on one line are two sites.
struct Site {
  std::source_location where;
  Site(std::source_location at = std::source_location::current()) : where(at) {}  // NOLINT: captures the call's line
  /// One number per place in the source: libstdc++ and libc++ keep a location as one pointer to constant data.
  uintptr_t key() const {
    static_assert(sizeof(std::source_location) == sizeof(uintptr_t));
    return std::bit_cast<uintptr_t>(where);
  }
};

/// "rms_norm.cu:41".
std::string to_string(const Site& site);

struct GridPosition {
  Index3 block_index;
  Index3 block_dim;
  Index3 grid_dim;
};

class Block;
struct Warp;

struct Thread {
  Index3 index;
  const GridPosition* position = nullptr;
  Block* block = nullptr;
  Warp* warp = nullptr;
  uint32_t number = 0;  // in the block, x fastest
  uint32_t lane = 0;
};

/// The thread that runs now; null outside of kernels.
extern constinit thread_local Thread* current_thread;

/// Records the defect with kernel, block and thread named and ends the block; the launch fails. Does not return.
[[noreturn]] void fail(const std::string& what, const Site& site);

}  // namespace seraph::sim
