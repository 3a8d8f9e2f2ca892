// Time as the rest of the code sees it: monotonic microseconds for intervals, Unix time for rows
// and responses. Code that must be tested against time takes a `MonotonicUs` argument instead of
// calling now_us() itself.
#pragma once

#include <chrono>
#include <cstdint>

namespace seraph {

using MonotonicUs = int64_t;  // microseconds of the steady clock; 0 means "not yet"

inline MonotonicUs now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline int64_t unix_time_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace seraph
