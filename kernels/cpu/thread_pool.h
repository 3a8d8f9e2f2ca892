// The worker threads of a backend. The calling thread (the engine's) is worker 0; the others are pinned to
// a core each. A piece of work is handed out with one store and collected with one counter; the caller
// waits for tasks that somebody took, never for a worker that the system has not let run. Waiting spins for
// a few microseconds, then yields, then sleeps on a futex: between the operations of a step nobody sleeps,
// an idle server uses no CPU, and a core that another thread needs is given away.
// run() is called from one thread at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace seraph::cpu {

/// The cores that this process may use, one hardware thread of each, no more than its CPU quota pays for.
std::vector<int32_t> usable_cores();

class ThreadPool {
 public:
  /// `threads` <= 0: one per usable core.
  ThreadPool(int32_t threads, bool pin);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int32_t num_threads() const { return static_cast<int32_t>(workers_.size()) + 1; }

  /// task(index, thread) for every index below `count`, in any order on any thread; returns when all are done.
  template <typename Task>
  void run(int64_t count, Task&& task) {
    if (count <= 0) return;
    if (count == 1 || workers_.empty()) {
      for (int64_t i = 0; i < count; ++i) task(i, 0);
      return;
    }
    using Plain = std::remove_reference_t<Task>;
    const Call call = [](void* context, int64_t index, int32_t thread) {
      (*static_cast<Plain*>(context))(index, thread);
    };
    dispatch(count, call, const_cast<void*>(static_cast<const void*>(&task)));
  }

 private:
  using Call = void (*)(void* context, int64_t index, int32_t thread);

  void dispatch(int64_t count, Call call, void* context);
  void work(int32_t thread);
  void take_tasks(int32_t thread);
  /// Waits until `word` differs from `value`.
  static void wait_while(std::atomic<uint32_t>& word, uint32_t value, std::atomic<uint32_t>& sleepers);
  static void wake(std::atomic<uint32_t>& word, const std::atomic<uint32_t>& sleepers);

  // Written by the caller before `tasks_`, read by whoever took a task from it.
  Call call_ = nullptr;
  void* context_ = nullptr;

  alignas(64) std::atomic<uint32_t> epoch_{0};  // moves when there is work, or the end
  std::atomic<uint32_t> sleeping_workers_{0};
  alignas(64) std::atomic<uint64_t> tasks_{0};  // how many there are, and in the low 32 bits how many are taken
  alignas(64) std::atomic<uint32_t> done_{0};
  std::atomic<uint32_t> sleeping_callers_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

}  // namespace seraph::cpu
