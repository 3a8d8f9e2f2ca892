// How the compilers of this folder report that a constraint cannot be compiled: an exception that never leaves the
// folder. Parsers and set algebra nested this deeply would need a check after nearly every call otherwise; the
// functions of compiler.h catch it and return its Error.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <stdexcept>
#include <string>

#include "engine/base/clock.h"
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

/// What is left of the limits of one compilation. One thread.
class Budget {
 public:
  explicit Budget(const CompileLimits& limits)
      : limits_(limits), work_left_(limits.work_max), deadline_us_(now_us() + limits.time_ms_max * 1000) {}

  /// Throws when the work or the time is used up.
  void spend(int64_t steps) {
    work_left_ -= steps;
    until_clock_ -= steps;
    if (work_left_ < 0) fail_limit(fmt::format("the constraint is too complex: more than {} steps", limits_.work_max));
    if (until_clock_ < 0) {
      until_clock_ = kStepsPerClock;
      if (now_us() > deadline_us_) {
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
  const MonotonicUs deadline_us_;
};

}  // namespace seraph::grammar
