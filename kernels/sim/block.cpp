#include "kernels/sim/block.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

namespace seraph::sim {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kStackBytes = 256 * 1024;
#else
constexpr size_t kStackBytes = 64 * 1024;
#endif
constexpr size_t kSharedAlignment = 1024;
constexpr uint32_t kStaticGuardBytes = 128;  // between static arrays, never accessible
constexpr int kPoison = 0xCB;

char* allocate_shared() {
  constexpr size_t kBytes = (kSharedArenaBytes + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment;
  return static_cast<char*>(std::aligned_alloc(kSharedAlignment, kBytes));
}

/// Unwinds the thread that failed; caught at the bottom of its own stack.
struct KernelFault {};

std::string hexadecimal(uint32_t value) {
  std::string digits;
  for (int shift = 28; shift >= 0; shift -= 4) digits += "0123456789abcdef"[value >> shift & 0xFU];
  return "0x" + digits;
}

std::string triple(const Index3& index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," + std::to_string(index.z) + ")";
}

}  // namespace

constinit thread_local Thread* current_thread = nullptr;

std::string to_string(const Site& site) {
  const std::string path = site.where.file_name();
  return path.substr(path.find_last_of('/') + 1) + ":" + std::to_string(site.where.line());
}

void fail(const std::string& what, const Site& site) {
  if (current_thread == nullptr) std::abort();  // device memory was touched by host code
  current_thread->block->fail(what, site);
}

void Block::AlignedFree::operator()(void* memory) const { std::free(memory); }

Block::Block(Heap& heap, bool count_accesses)
    : heap_(heap),
      count_accesses_(count_accesses),
      shared_(allocate_shared()),
      shared_shadow_(reinterpret_cast<uintptr_t>(shared_.get()), kSharedArenaBytes),
      stacks_(kBlockThreadsMax, kStackBytes),
      threads_(kBlockThreadsMax),
      states_(kBlockThreadsMax),
      warps_(kBlockThreadsMax / 32) {}

Block::~Block() = default;

void Block::prepare(LaunchRun& launch, const Index3& block_index, uint32_t serial) {
  launch_ = &launch;
  serial_ = serial;
  ++num_runs_;
  position_ = {block_index, launch.block, launch.grid};
  num_threads_ = launch.block.x * launch.block.y * launch.block.z;
  num_warps_ = (num_threads_ + 31) / 32;
  num_ended_ = 0;
  block_epoch_ = 0;
  acquire_time_ = 0;
  fenced_ = false;
  std::fill(std::begin(barriers_), std::end(barriers_), NamedBarrier{});
  static_arrays_.clear();
  static_bytes_ = 0;
  // What the last block used becomes unwritten again.
  const uint32_t used = std::max(shared_used_, launch.shared_bytes);
  shared_used_ = launch.shared_bytes;
  shared_shadow_.set_written(shared_begin(), used, false);
  std::memset(shared_.get(), kPoison, used);
  for (uint32_t w = 0; w < num_warps_; ++w) {
    Warp& warp = warps_[w];
    const uint32_t lanes = std::min(32U, num_threads_ - w * 32);
    warp.existing = lanes == 32 ? 0xFFFFFFFFU : (1U << lanes) - 1;
    warp.ready = warp.existing;
    warp.epoch = 0;
    warp.joins.clear();
  }
  for (uint32_t i = 0; i < num_threads_; ++i) {
    Thread& thread = threads_[i];
    thread.index = {i % launch.block.x, i / launch.block.x % launch.block.y, i / launch.block.x / launch.block.y};
    thread.position = &position_;
    thread.block = this;
    thread.warp = &warps_[i / 32];
    thread.number = i;
    thread.lane = i % 32;
    ThreadState& state = states_[i];
    state.waits_at = nullptr;
    state.barrier = -1;
    state.ended = false;
    state.open_group = 0;
    state.copies.clear();
    state.fiber.prepare(stacks_.stack(i), stacks_.bytes_each(), &Block::thread_main);
  }
}

bool Block::run(LaunchRun& launch, const Index3& block_index, uint32_t serial, uint64_t order) {
  prepare(launch, block_index, serial);
  fault_.clear();
  reverse_lanes_ = (order & 1U) != 0;
  warp_now_ = static_cast<uint32_t>(order >> 1) % num_warps_;
  Thread* first = next_ready();
  current_thread = first;
  scheduler_.switch_to(states_[first->number].fiber);
  current_thread = nullptr;
  if (fault_.empty() && num_ended_ < num_threads_) report_deadlock();
  for (uint32_t w = 0; w < num_warps_; ++w) {
    if (fault_.empty()) {
      warps_[w].accesses.flush(launch.stats, launch.costs);
    } else {
      warps_[w].accesses.clear();
    }
  }
  launch.stats.shared_bytes = std::max<int64_t>(launch.stats.shared_bytes, launch.shared_bytes + static_bytes_);
  return fault_.empty();
}

void Block::thread_main() {
  Fiber::entered();
  Block& block = *current_thread->block;
  bool failed = false;
  try {
    block.launch_->body();
  } catch (const KernelFault&) {
    failed = true;
  }
  block.end_thread(failed);
}

void Block::end_thread(bool failed) {
  Thread& self = *current_thread;
  ThreadState& state = states_[self.number];
  state.ended = true;
  self.warp->ready &= ~(1U << self.lane);
  ++num_ended_;
  Thread* next = failed ? nullptr : next_ready();
  current_thread = next;
  state.fiber.switch_to(next != nullptr ? states_[next->number].fiber : scheduler_, true);
  std::abort();  // nobody continues a thread that has ended
}

Thread* Block::next_ready() {
  for (uint32_t i = 0; i < num_warps_; ++i) {
    const uint32_t w = warp_now_ + i < num_warps_ ? warp_now_ + i : warp_now_ + i - num_warps_;
    const uint32_t ready = warps_[w].ready;
    if (ready == 0) continue;
    warp_now_ = w;
    const int lane = reverse_lanes_ ? 31 - std::countl_zero(ready) : std::countr_zero(ready);
    return &threads_[w * 32 + static_cast<uint32_t>(lane)];
  }
  return nullptr;
}

/// Leaves the running thread until somebody makes it ready again.
void Block::wait(const char* what, const Site& site) {
  Thread& self = *current_thread;
  ThreadState& state = states_[self.number];
  state.waits_at = what;
  state.waits_site = site;
  self.warp->ready &= ~(1U << self.lane);
  Thread* next = next_ready();
  current_thread = next;
  state.fiber.switch_to(next != nullptr ? states_[next->number].fiber : scheduler_);
  state.waits_at = nullptr;
}

void Block::yield(const Site& site) {
  Thread& self = *current_thread;
  // Everybody else first: the lane counts as ready again as soon as it has been left.
  self.warp->ready &= ~(1U << self.lane);
  Thread* next = next_ready();
  self.warp->ready |= 1U << self.lane;
  if (next == nullptr) {
    fail("waits for another block, but blocks run one after the other here: nothing will come", site);
  }
  warp_now_ = next->warp == self.warp ? warp_now_ : next->number / 32;
  current_thread = next;
  states_[self.number].fiber.switch_to(states_[next->number].fiber);
}

void Block::join_warp(const char* what, uint32_t mask, void* payload, CollectiveWork work, const Site& site) {
  Thread& self = *current_thread;
  Warp& warp = *self.warp;
  const uint32_t me = 1U << self.lane;
  if ((mask & me) == 0) fail(std::string(what) + " with a mask (" + hexadecimal(mask) + ") without its own lane", site);
  if ((mask & ~warp.existing) != 0) {
    fail(std::string(what) + " with a mask (" + hexadecimal(mask) + ") of lanes that the block does not have", site);
  }
  auto join = std::find_if(warp.joins.begin(), warp.joins.end(),
                           [&](const PendingJoin& pending) { return (pending.mask & mask) != 0; });
  if (join == warp.joins.end()) {
    join = warp.joins.insert(warp.joins.end(), PendingJoin{mask, 0, what, site});
  } else if (join->mask != mask || join->site.key() != site.key() || join->what != what) {
    fail("divergent warp: at " + std::string(what) + " (" + to_string(site) + ", mask " + hexadecimal(mask) +
             ") while other lanes wait at " + join->what + " (" + to_string(join->site) + ", mask " +
             hexadecimal(join->mask) + ")",
         site);
  }
  warp.payloads[self.lane] = payload;
  join->arrived |= me;
  if (join->arrived != mask) {
    wait(what, site);
    return;
  }
  warp.joins.erase(join);
  work(warp.payloads, mask);
  ++launch_->stats.warp_collectives;
  if (mask == warp.existing) warp.accesses.flush(launch_->stats, launch_->costs);
  warp.ready |= mask;
}

void Block::join_block(int32_t barrier, int32_t num_threads, const Site& site) {
  NamedBarrier& state = barriers_[barrier & 15];
  const int32_t expected = num_threads > 0 ? num_threads : static_cast<int32_t>(num_threads_);
  ThreadState& self = states_[current_thread->number];
  if (state.arrived > 0 && state.expected != expected) {
    fail("divergent barrier: waits for " + std::to_string(expected) + " threads, others for " +
             std::to_string(state.expected),
         site);
  }
  if (state.arrived > 0 && num_threads == 0 && state.site->key() != site.key()) {
    fail("divergent barrier: at sync_threads (" + to_string(site) + ") while other threads wait at (" +
             to_string(*state.site) + ")",
         site);
  }
  self.waits_site = site;
  if (state.arrived == 0) state.site = &self.waits_site;
  state.expected = expected;
  ++state.arrived;
  self.barrier = barrier;
  if (state.arrived < expected) {
    wait("sync_threads", site);
    return;
  }
  release_barrier(barrier);
}

void Block::release_barrier(int32_t barrier) {
  barriers_[barrier & 15] = {};
  ++launch_->stats.block_barriers;
  uint32_t epoch = 0;
  for (uint32_t w = 0; w < num_warps_; ++w) epoch = std::max(epoch, warps_[w].epoch);
  if (++epoch >= kEpochMax)
    fail("more than a million barriers in one block", states_[current_thread->number].waits_site);
  // A named barrier orders only some of the threads; counting it as everybody's can miss a race, never invent one.
  block_epoch_ = epoch;
  for (uint32_t w = 0; w < num_warps_; ++w) {
    warps_[w].epoch = epoch;
    uint32_t lanes = 0;
    for (uint32_t t = w * 32; t < std::min(num_threads_, w * 32 + 32); ++t) {
      if (states_[t].barrier != barrier) continue;
      states_[t].barrier = -1;
      lanes |= 1U << t % 32;
    }
    if (lanes == warps_[w].existing) warps_[w].accesses.flush(launch_->stats, launch_->costs);
    warps_[w].ready |= lanes;
  }
}

void Block::report_deadlock() {
  const Thread* waiting = nullptr;
  const Thread* absent = nullptr;
  for (uint32_t i = 0; i < num_threads_; ++i) {
    if (!states_[i].ended && waiting == nullptr) waiting = &threads_[i];
  }
  const ThreadState& state = states_[waiting->number];
  const bool at_barrier = state.barrier >= 0;
  const auto missing = [&](uint32_t i) {
    if (at_barrier) return states_[i].barrier != state.barrier;
    if (i / 32 != waiting->number / 32) return false;
    for (const PendingJoin& join : waiting->warp->joins) {
      if ((join.mask >> waiting->lane & 1U) != 0) return ((join.mask & ~join.arrived) >> i % 32 & 1U) != 0;
    }
    return false;
  };
  for (uint32_t i = 0; i < num_threads_ && absent == nullptr; ++i) {
    if (missing(i)) absent = &threads_[i];
  }
  std::string other = "nobody else comes";
  if (absent != nullptr) {
    const ThreadState& there = states_[absent->number];
    other = "thread " + triple(absent->index) +
            (there.ended ? " has ended"
                         : std::string(" waits at ") + there.waits_at + " (" + to_string(there.waits_site) + ")");
  }
  fault_ = describe(*waiting) + ": divergent " + (at_barrier ? "barrier" : "warp") + ": waits at " + state.waits_at +
           ", but " + other + " (" + to_string(state.waits_site) + ")";
}

std::string Block::describe(const Thread& thread) const {
  return "kernel " + launch_->name + ", block " + triple(position_.block_index) + ", thread " + triple(thread.index);
}

void Block::fail(const std::string& what, const Site& site) {
  fault_ = describe(*current_thread) + ": " + what + " (" + to_string(site) + ")";
  throw KernelFault{};
}

Extent Block::static_shared(const void* key, uint32_t bytes) {
  for (const StaticArray& array : static_arrays_) {
    if (array.key == key) return array.extent;
  }
  const uint32_t begin = (shared_used_ + kStaticGuardBytes + 127) / 128 * 128;
  static_bytes_ += bytes;
  if (static_bytes_ > kStaticSharedBytesMax) {
    fail("has more than " + std::to_string(kStaticSharedBytesMax) + " bytes of static shared memory", {});
  }
  if (launch_->shared_bytes + static_bytes_ > launch_->shared_bytes_max || begin + bytes > kSharedArenaBytes) {
    fail(
        "needs more than the " + std::to_string(launch_->shared_bytes_max) + " bytes of shared memory that a block has",
        {});
  }
  shared_used_ = begin + bytes;
  shared_shadow_.set_written(shared_begin() + begin, bytes, false);
  std::memset(shared_.get() + begin, kPoison, bytes);
  const Extent extent = {shared_begin() + begin, shared_begin() + begin + bytes};
  static_arrays_.push_back({key, extent});
  return extent;
}

}  // namespace seraph::sim
