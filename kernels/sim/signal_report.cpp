#include "kernels/sim/signal_report.h"

#include <unistd.h>

#include <cstdio>

#include "kernels/sim/thread.h"

namespace seraph::sim {
namespace {

constexpr size_t kSignalStackBytes = 64 * 1024;
constexpr int kSignals[] = {SIGSEGV, SIGBUS};

// A handler has no argument for it.
thread_local const char* running_kernel = nullptr;

void report(int signal, siginfo_t* info, void*) {
  char line[512];
  const Thread* thread = current_thread;
  int length = 0;
  if (thread != nullptr && running_kernel != nullptr) {
    const Index3& block = thread->position->block_index;
    length = std::snprintf(
        line, sizeof(line),
        "kernel %s, block (%u,%u,%u), thread (%u,%u,%u): touches unmapped memory at %p: a raw pointer "
        "out of bounds, or locals larger than a fiber's stack\n",
        running_kernel, block.x, block.y, block.z, thread->index.x, thread->index.y, thread->index.z, info->si_addr);
  }
  if (length > 0 && write(STDERR_FILENO, line, static_cast<size_t>(length)) < 0) _exit(1);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

SignalReport::SignalReport(const char* kernel)
    : stack_(std::make_unique<char[]>(kSignalStackBytes)), previous_kernel_(running_kernel) {
  running_kernel = kernel;
  stack_t stack = {};
  stack.ss_sp = stack_.get();
  stack.ss_size = kSignalStackBytes;
  sigaltstack(&stack, &previous_stack_);
  struct sigaction action = {};
  action.sa_sigaction = report;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (int i = 0; i < 2; ++i) sigaction(kSignals[i], &action, &previous_[i]);
}

SignalReport::~SignalReport() {
  for (int i = 0; i < 2; ++i) sigaction(kSignals[i], &previous_[i], nullptr);
  sigaltstack(&previous_stack_, nullptr);
  running_kernel = previous_kernel_;
}

}  // namespace seraph::sim
