// Names the kernel, block and thread when a simulated thread touches memory that is not mapped: a raw pointer past the
// guard of its allocation, or locals larger than the fiber's stack. The process still ends: nothing sound could follow.
#pragma once

#include <csignal>
#include <memory>

namespace seraph::sim {

/// While it lives, SIGSEGV and SIGBUS print one line before they do what they did before. On the thread that made it.
class SignalReport {
 public:
  /// `kernel` must outlive this.
  explicit SignalReport(const char* kernel);
  SignalReport(const SignalReport&) = delete;
  SignalReport& operator=(const SignalReport&) = delete;
  ~SignalReport();

 private:
  std::unique_ptr<char[]> stack_;  // the fiber's own may be what overflowed
  stack_t previous_stack_ = {};
  struct sigaction previous_[2] = {};
  const char* previous_kernel_ = nullptr;
};

}  // namespace seraph::sim
