// What a simulated CUDA thread knows about itself, and how code that runs in one reports a defect. The pointer to the
// running thread is thread_local because CUDA's built-in variables are: a kernel takes no context argument.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <version>

#ifdef __cpp_lib_source_location
#include <source_location>
#endif

namespace seraph::sim {

#ifdef __cpp_lib_source_location
using Place = std::source_location;
#else
/// Clang before 16 lacks what the standard library's class needs, but has this.
class Place {
 public:
  static constexpr Place current(const char* file = __builtin_FILE(), uint32_t line = __builtin_LINE(),
                                 uint32_t column = __builtin_COLUMN()) {
    Place place;
    place.file_ = file;
    place.line_ = line;
    place.column_ = column;
    return place;
  }
  constexpr const char* file_name() const { return file_; }
  constexpr uint32_t line() const { return line_; }
  constexpr uint32_t column() const { return column_; }

 private:
  const char* file_ = "";
  uint32_t line_ = 0;
  uint32_t column_ = 0;
};
#endif

struct Index3 {
  uint32_t x = 0;
  uint32_t y = 0;
  uint32_t z = 0;
};

/// Where in the kernel's source something happens; two accesses on one line are two sites.
struct Site {
  Place where;
  Site(Place at = Place::current()) : where(at) {}  // NOLINT: captures the call's line
  /// One number per place in the source.
  uintptr_t key() const {
#ifdef __cpp_lib_source_location
    return std::bit_cast<uintptr_t>(where);  // the libraries keep a location as one pointer to constant data
#else
    // Each file's lines and columns in a range of their own: file names are 16 bytes apart at least.
    return reinterpret_cast<uintptr_t>(where.file_name()) << 20 ^ uintptr_t { where.line() } << 8 ^ where.column();
#endif
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
