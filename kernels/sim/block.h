// Runs the threads of one CUDA block as fibers on the calling OS thread, and knows what its barriers and warps wait
// for. One Block object runs the blocks of all launches one after the other. A defect (fail()) unwinds its thread and
// leaves the others where they stand; kernels own nothing that would need a destructor.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/sim/fiber.h"
#include "kernels/sim/heap.h"
#include "kernels/sim/stats.h"
#include "kernels/sim/warp_ops.h"

namespace seraph::sim {

constexpr uint32_t kBlockThreadsMax = 1024;
constexpr uint32_t kSharedBytesMax = 227 * 1024;
constexpr uint32_t kSharedArenaBytes = 256 * 1024;  // room for guards between arrays
constexpr uint32_t kStaticSharedBytesMax = 48 * 1024;

/// One launch while it runs.
struct LaunchRun {
  std::string name;
  std::function<void()> body;  // the kernel with its arguments
  Index3 grid;
  Index3 block;
  uint32_t shared_bytes = 0;                    // dynamic
  uint32_t shared_bytes_max = kSharedBytesMax;  // dynamic and static together
  uint32_t first_serial = 1;
  std::vector<BlockRelease> releases;  // by block serial - first_serial
  uint32_t release_clock = 0;
  LaunchStats stats;
  SiteCosts costs;
};

/// A rendezvous of some lanes that is not complete yet.
struct PendingJoin {
  uint32_t mask;
  uint32_t arrived;
  const char* what;
  Site site;
};

struct PendingCopy {
  uintptr_t target;
  uintptr_t source;
  uint32_t bytes;
  uint32_t valid_bytes;
  uint32_t group;
  Site site;
};

/// What a thread waits at; the site is what reports name.
struct ThreadState {
  Fiber fiber;
  const char* waits_at = nullptr;
  Site waits_site;
  int32_t barrier = -1;
  bool ended = false;
  uint32_t open_group = 0;  // of asynchronous copies
  std::vector<PendingCopy> copies;
};

struct Warp {
  uint32_t existing = 0;  // lanes that the block has
  uint32_t ready = 0;     // lanes that can run
  uint32_t epoch = 0;
  std::vector<PendingJoin> joins;
  void* payloads[32] = {};
  AccessCounter accesses;
};

class Block {
 public:
  Block(Heap& heap, bool count_accesses);
  ~Block();

  /// Runs one block to its end. False on a defect, see fault(). `reverse_lanes` and `first_warp` change the order in
  /// which threads run, never what a correct kernel computes.
  bool run(LaunchRun& launch, const Index3& block_index, uint32_t serial, uint64_t order);
  const std::string& fault() const { return fault_; }

  // What the operations of the running thread need.
  void join_warp(const char* what, uint32_t mask, void* payload, CollectiveWork work, const Site& site);
  void join_block(int32_t barrier, int32_t num_threads, const Site& site);
  void order_warp_memory(Warp& warp) { ++warp.epoch; }
  void note_fence() { fenced_ = true; }
  void yield(const Site& site);
  void check(const Access& access, const Extent& extent, const Site& site);
  void copy_async(const PendingCopy& copy, const Extent& target_extent, const Extent& source_extent);
  void finish_copies(uint32_t groups_left, const Site& site);
  ThreadState& state_of(const Thread& thread) { return states_[thread.number]; }
  Extent static_shared(const void* key, uint32_t bytes);
  Extent dynamic_shared() const { return {shared_begin(), shared_begin() + launch_->shared_bytes}; }
  LaunchRun& launch() { return *launch_; }
  [[noreturn]] void fail(const std::string& what, const Site& site);

 private:
  static void thread_main();
  void prepare(LaunchRun& launch, const Index3& block_index, uint32_t serial);
  void wait(const char* what, const Site& site);
  Thread* next_ready();
  void end_thread(bool failed);
  void release_barrier(int32_t barrier);
  void report_deadlock();
  Clock clock_of(const Thread& thread, Space space) const;
  std::string describe(const Thread& thread) const;
  std::string describe(const Record& record, Space space) const;
  uintptr_t shared_begin() const { return reinterpret_cast<uintptr_t>(shared_.get()); }

  struct AlignedFree {
    void operator()(void* memory) const;
  };
  struct NamedBarrier {
    int32_t arrived = 0;
    int32_t expected = 0;
    const Site* site = nullptr;
  };
  struct StaticArray {
    const void* key;
    Extent extent;
  };

  Heap& heap_;
  const bool count_accesses_;
  std::unique_ptr<char[], AlignedFree> shared_;
  Shadow shared_shadow_;
  FiberStacks stacks_;
  std::vector<Thread> threads_;
  std::vector<ThreadState> states_;
  std::vector<Warp> warps_;

  // Of the block that runs.
  LaunchRun* launch_ = nullptr;
  GridPosition position_;
  Fiber scheduler_;
  uint32_t serial_ = 0;
  uint32_t num_runs_ = 0;  // shared memory's serial: blocks of one launch run in any order
  uint32_t num_threads_ = 0;
  uint32_t num_warps_ = 0;
  uint32_t num_ended_ = 0;
  uint32_t warp_now_ = 0;
  bool reverse_lanes_ = false;
  uint32_t block_epoch_ = 0;
  uint32_t acquire_time_ = 0;
  bool fenced_ = false;
  uint32_t shared_used_ = 0;  // of the arena, guards included
  uint32_t static_bytes_ = 0;
  std::vector<StaticArray> static_arrays_;
  NamedBarrier barriers_[16];
  std::string fault_;
};

}  // namespace seraph::sim
