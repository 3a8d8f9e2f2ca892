#include "kernels/sim/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#define SERAPH_SIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SERAPH_SIM_ASAN 1
#endif
#endif

#ifdef SERAPH_SIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
// Saves what the System V ABI makes the callee keep, swaps stacks, and returns on the other one.
extern "C" void seraph_sim_switch(void** save, void* load);
asm(R"(
.text
.globl seraph_sim_switch
.type seraph_sim_switch,@function
seraph_sim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size seraph_sim_switch,.-seraph_sim_switch
)");
#endif

namespace seraph::sim {
namespace {

#ifdef SERAPH_SIM_ASAN
// Whom the switch under way came from: its stack becomes known when the target arrives.
thread_local const void** arriving_from_stack = nullptr;
thread_local size_t* arriving_from_bytes = nullptr;
#endif

void finish_switch([[maybe_unused]] void* fake_stack) {
#ifdef SERAPH_SIM_ASAN
  __sanitizer_finish_switch_fiber(fake_stack, arriving_from_stack, arriving_from_bytes);
#endif
}

}  // namespace

void Fiber::prepare(void* stack, size_t bytes, void (*entry)()) {
  stack_ = stack;
  stack_bytes_ = bytes;
  fake_stack_ = nullptr;
#ifdef SERAPH_SIM_ASAN
  __asan_unpoison_memory_region(stack, bytes);
#endif
#if defined(__x86_64__)
  // Six saved registers and the entry as return address; one word more keeps the entry's stack aligned as after a call.
  constexpr size_t kSavedRegisters = 6;
  auto** top = reinterpret_cast<void**>(static_cast<char*>(stack) + bytes) - 2;
  top[0] = reinterpret_cast<void*>(entry);
  top[1] = nullptr;
  for (size_t i = 1; i <= kSavedRegisters; ++i) *(top - i) = nullptr;
  stack_pointer_ = top - kSavedRegisters;
#else
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack;
  context_.uc_stack.ss_size = bytes;
  context_.uc_link = nullptr;
  makecontext(&context_, entry, 0);
#endif
}

void Fiber::switch_to(Fiber& to, [[maybe_unused]] bool ending) {
#ifdef SERAPH_SIM_ASAN
  __sanitizer_start_switch_fiber(ending ? nullptr : &fake_stack_, to.stack_, to.stack_bytes_);
  arriving_from_stack = &stack_;
  arriving_from_bytes = &stack_bytes_;
#endif
#if defined(__x86_64__)
  seraph_sim_switch(&stack_pointer_, to.stack_pointer_);
#else
  swapcontext(&context_, &to.context_);
#endif
  finish_switch(fake_stack_);
}

void Fiber::entered() { finish_switch(nullptr); }

FiberStacks::FiberStacks(size_t count, size_t bytes_each) : bytes_each_(bytes_each) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  stride_ = bytes_each + page;
  total_ = stride_ * count;
  memory_ = mmap(nullptr, total_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory_ == MAP_FAILED) std::abort();  // address space only: nothing else works either
  for (size_t i = 0; i < count; ++i) mprotect(static_cast<char*>(memory_) + i * stride_, page, PROT_NONE);
}

FiberStacks::~FiberStacks() {
#ifdef SERAPH_SIM_ASAN
  // Frames that were left poisoned must not be seen in whatever is mapped here next.
  __asan_unpoison_memory_region(memory_, total_);
#endif
  munmap(memory_, total_);
}

}  // namespace seraph::sim
