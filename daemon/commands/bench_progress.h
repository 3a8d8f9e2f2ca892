// A progress bar on standard error, for people: nothing is drawn when that is no terminal.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/clock.h"

namespace seraph {

/// " 45%|####      | 45/100 [00:12<00:15, 3.61it/s]".
std::string progress_line(int64_t done, int64_t total, double elapsed_s);

class ProgressBar {
 public:
  /// Draws nothing unless `wanted` and standard error is a terminal.
  ProgressBar(int64_t total, bool wanted);
  /// The line is left as it is, and the cursor goes to the next.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// Draws at most ten times a second, and the last state always.
  void show(int64_t done);

 private:
  const int64_t total_;
  const bool drawn_;
  const MonotonicUs begin_us_;
  MonotonicUs shown_us_ = 0;
};

}  // namespace seraph
