#include "kernels/cpu/thread_pool.h"

#include <immintrin.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "kernels/cpu/check.h"

namespace seraph::cpu {
namespace {

// A pause is 10 to 50 ns on current x86 cores: about 5 us of spinning, then about 50 us of yielding.
constexpr int32_t kSpins = 200;
constexpr int32_t kYields = 100;

void futex_wait(std::atomic<uint32_t>& word, uint32_t value) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void futex_wake_all(std::atomic<uint32_t>& word) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
}

/// The first hardware thread of the core that `cpu` belongs to.
int32_t first_sibling(int32_t cpu) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
  int32_t first = cpu;
  file >> first;
  return first;
}

/// Cores' worth of time that the cgroup grants; 0 when there is no quota.
int32_t quota_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  int64_t quota_us = 0;
  int64_t period_us = 0;
  if (!(file >> quota_us >> period_us) || period_us <= 0) return 0;
  return static_cast<int32_t>(std::max<int64_t>(1, (quota_us + period_us - 1) / period_us));
}

void pin_to(std::thread& thread, int32_t core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(core), &set);
  pthread_setaffinity_np(thread.native_handle(), sizeof(set), &set);  // refused: it runs where it may
}

}  // namespace

std::vector<int32_t> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return {0};
  std::vector<int32_t> cores;
  std::vector<int32_t> seen;
  for (int32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(static_cast<size_t>(cpu), &set)) continue;
    const int32_t core = first_sibling(cpu);
    if (std::find(seen.begin(), seen.end(), core) != seen.end()) continue;
    seen.push_back(core);
    cores.push_back(cpu);
  }
  if (const int32_t quota = quota_cores(); quota > 0 && static_cast<size_t>(quota) < cores.size()) {
    cores.resize(static_cast<size_t>(quota));
  }
  return cores;
}

ThreadPool::ThreadPool(int32_t threads, bool pin) {
  const std::vector<int32_t> cores = usable_cores();
  if (threads <= 0) threads = static_cast<int32_t>(cores.size());
  // A quota is no set of cores: pinning would only keep the scheduler from balancing.
  const bool pinned = pin && quota_cores() == 0 && static_cast<size_t>(threads) <= cores.size();
  workers_.reserve(static_cast<size_t>(threads - 1));
  for (int32_t i = 1; i < threads; ++i) {
    workers_.emplace_back([this, i] { work(i); });
    if (pinned) pin_to(workers_.back(), cores[static_cast<size_t>(i)]);
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  wake(epoch_, sleeping_workers_);
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::wait_while(std::atomic<uint32_t>& word, uint32_t value, std::atomic<uint32_t>& sleepers) {
  for (int32_t i = 0; i < kSpins; ++i) {
    if (word.load(std::memory_order_acquire) != value) return;
    _mm_pause();
  }
  for (int32_t i = 0; i < kYields; ++i) {
    if (word.load(std::memory_order_acquire) != value) return;
    sched_yield();
  }
  // The waker changes the word, then reads the count; we count, then read the word: one of us sees the other.
  sleepers.fetch_add(1, std::memory_order_seq_cst);
  while (word.load(std::memory_order_seq_cst) == value) futex_wait(word, value);
  sleepers.fetch_sub(1, std::memory_order_relaxed);
}

void ThreadPool::wake(std::atomic<uint32_t>& word, const std::atomic<uint32_t>& sleepers) {
  if (sleepers.load(std::memory_order_seq_cst) != 0) futex_wake_all(word);
}

void ThreadPool::dispatch(int64_t count, Call call, void* context) {
  SERAPH_CPU_CHECK(count < INT32_MAX, "tasks are counted in 32 bits");
  call_ = call;
  context_ = context;
  done_.store(0, std::memory_order_relaxed);
  tasks_.store(static_cast<uint64_t>(count) << 32, std::memory_order_release);
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  wake(epoch_, sleeping_workers_);
  take_tasks(0);
  const auto all = static_cast<uint32_t>(count);
  for (uint32_t done = done_.load(std::memory_order_acquire); done != all;
       done = done_.load(std::memory_order_acquire)) {
    wait_while(done_, done, sleeping_callers_);
  }
}

void ThreadPool::take_tasks(int32_t thread) {
  while (true) {
    const uint64_t tasks = tasks_.fetch_add(1, std::memory_order_acq_rel);
    const uint64_t count = tasks >> 32;
    const uint64_t index = tasks & 0xFFFFFFFFU;
    if (index >= count) return;
    call_(context_, static_cast<int64_t>(index), thread);
    if (done_.fetch_add(1, std::memory_order_seq_cst) + 1 == count) wake(done_, sleeping_callers_);
  }
}

void ThreadPool::work(int32_t thread) {
  uint32_t seen = 0;
  while (true) {
    wait_while(epoch_, seen, sleeping_workers_);
    seen = epoch_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_relaxed)) return;
    take_tasks(thread);
  }
}

}  // namespace seraph::cpu
