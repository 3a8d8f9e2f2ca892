// How the compilers of this folder report that a constraint cannot be compiled: an exception that never leaves the
// folder. Parsers and set algebra nested this deeply would need a check after nearly every call otherwise; the
// functions of compiler.h catch it and return its Error.
#pragma once

#include <spdlog/fmt/fmt.h>
#include <time.h>

#include <stdexcept>
#include <string>

#include "engine/base/result.h"
#include "engine/grammar/limits.h"

namespace seraph::grammar {

class CompileFailure : public std::runtime_error {
 public:
  explicit CompileFailure(Error failure) : std::runtime_error(failure.message), error(std::move(failure)) {}
  Error error;
};

[[noreturn]] inline void fail_invalid(std::string message) {
  throw CompileFailure(Error{ErrorCode::kInvalidArgument, std::move(message)});
}
[[noreturn]] inline void fail_unsupported(std::string message) {
  throw CompileFailure(
      Error{ErrorCode::kUnsupported, std::move(message), "remove it, or constrain the text otherwise"});
}
[[noreturn]] inline void fail_limit(std::string message) {
  throw CompileFailure(Error{ErrorCode::kUnsupported, std::move(message), "simplify the constraint"});
}

/// What the calling thread has computed for: unlike a wall clock the same on a busy machine.
inline int64_t thread_cpu_us() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000;
}

/// What is left of the limits of one compilation. One thread.
class Budget {
 public:
  explicit Budget(const CompileLimits& limits)
      : limits_(limits), work_left_(limits.work_max), deadline_us_(thread_cpu_us() + limits.time_ms_max * 1000) {}

  /// Throws when the work or the time is used up.
  void spend(int64_t steps) {
    work_left_ -= steps;
    until_clock_ -= steps;
    if (work_left_ < 0) fail_limit(fmt::format("the constraint is too complex: more than {} steps", limits_.work_max));
    if (until_clock_ < 0) {
      until_clock_ = kStepsPerClock;
      if (thread_cpu_us() > deadline_us_) {
        fail_limit(fmt::format("the constraint is too complex: not compiled within {} ms", limits_.time_ms_max));
      }
    }
  }
  void check_states(size_t states) const {
    if (static_cast<int64_t>(states) > limits_.states_max) {
      fail_limit(fmt::format("the constraint is too large: more than {} automaton states", limits_.states_max));
    }
  }
  void check_depth(int32_t depth) const {
    if (depth > limits_.depth_max)
      fail_limit(fmt::format("the constraint is nested deeper than {}", limits_.depth_max));
  }
  const CompileLimits& limits() const { return limits_; }

 private:
  static constexpr int64_t kStepsPerClock = 20'000;
  const CompileLimits limits_;
  int64_t work_left_;
  int64_t until_clock_ = kStepsPerClock;
  const int64_t deadline_us_;  // of thread_cpu_us()
};

}  // namespace seraph::grammar
