// What this machine can do at best, measured next to the kernels: reading memory and multiplying.
#pragma once

#include <time.h>

#include <cstdint>

namespace seraph::bench {

/// A clock for work on all threads or, with `own`, for work of the calling thread alone: the latter counts only
/// time that the thread really ran, so a busy machine disturbs it less.
inline double seconds(bool own) {
  timespec now = {};
  clock_gettime(own ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Roof {
  double read_gb_s = 0.0;     // all threads reading memory that no cache holds
  double bf16_gflop_s = 0.0;  // vdpbf16ps on registers; 0 where the machine has none
  double f32_gflop_s = 0.0;   // fused multiply-add on registers in the widest vectors
};

Roof measure_roof(int32_t threads);

}  // namespace seraph::bench
