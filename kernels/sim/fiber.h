// A stack to run on and the switch from one to another: a few instructions on x86-64, ucontext elsewhere. Annotated
// for AddressSanitizer. Fibers of one Block stay on one OS thread.
#pragma once

#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace seraph::sim {

class Fiber {
 public:
  Fiber() = default;
  /// Makes the next switch to this fiber call entry() on the given stack. The entry must never return.
  void prepare(void* stack, size_t bytes, void (*entry)());
  /// Continues `to`; returns when somebody switches back here. `ending`: nobody will.
  void switch_to(Fiber& to, bool ending = false);
  /// The first thing an entry does.
  static void entered();

 private:
#if defined(__x86_64__)
  void* stack_pointer_ = nullptr;
#else
  ucontext_t context_ = {};
#endif
  const void* stack_ = nullptr;
  size_t stack_bytes_ = 0;
  void* fake_stack_ = nullptr;
};

/// Equal stacks with an unmapped page below each, in one mapping.
class FiberStacks {
 public:
  FiberStacks(size_t count, size_t bytes_each);
  FiberStacks(const FiberStacks&) = delete;
  FiberStacks& operator=(const FiberStacks&) = delete;
  ~FiberStacks();
  void* stack(size_t i) const { return static_cast<char*>(memory_) + i * stride_ + (stride_ - bytes_each_); }
  size_t bytes_each() const { return bytes_each_; }

 private:
  void* memory_ = nullptr;
  size_t bytes_each_ = 0;
  size_t stride_ = 0;
  size_t total_ = 0;
};

}  // namespace seraph::sim
