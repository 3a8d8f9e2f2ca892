// The part of Block that watches memory.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels/sim/block.h"

namespace seraph::sim {
namespace {

constexpr const char* kVerbs[] = {"reads", "writes", "changes"};

std::string sized(const Access& access) {
  return std::to_string(access.bytes) + " bytes of " + (access.space == Space::kShared ? "shared" : "global") +
         " memory";
}

/// "at byte 24 of 128": where in the accessor's memory.
std::string placed(uintptr_t address, const Extent& extent) {
  const auto offset = static_cast<int64_t>(address) - static_cast<int64_t>(extent.begin);
  return "at byte " + std::to_string(offset) + " of " + std::to_string(extent.end - extent.begin);
}

}  // namespace

Clock Block::clock_of(const Thread& thread, Space space) const {
  const bool shared = space == Space::kShared;
  return {.serial = shared ? num_runs_ : serial_,
          .thread = thread.number,
          .epoch = thread.warp->epoch,
          .block_epoch = block_epoch_,
          .first_serial = shared ? num_runs_ : launch_->first_serial,
          .acquire_time = acquire_time_,
          .releases = &launch_->releases};
}

std::string Block::describe(const Record& record, Space space) const {
  if (record.thread == kManyBlocks) return "several blocks";
  const bool same_block = space == Space::kShared || record.serial == serial_;
  const std::string block =
      same_block ? "" : " of block number " + std::to_string(record.serial - launch_->first_serial);
  if (record.thread == kAtomicThread) return "an atomic operation" + block;
  if (record.thread == kManyThreads) return "several warps" + block;
  if (record.thread >= kWarpCode) return "several lanes of warp " + std::to_string(record.thread - kWarpCode) + block;
  return "thread number " + std::to_string(record.thread) + block;
}

void Block::check(const Access& access, const Extent& extent, const Site& site) {
  const Thread& thread = *current_thread;
  const char* verb = kVerbs[static_cast<int>(access.kind)];
  if (access.address < extent.begin || access.address + access.bytes > extent.end) {
    fail(std::string("out of bounds: ") + verb + " " + sized(access) + " " + placed(access.address, extent), site);
  }
  if (access.address % access.bytes != 0) {
    fail(std::string("misaligned: ") + verb + " " + sized(access) + " " + placed(access.address, extent) +
             ", whose address is no multiple of that",
         site);
  }
  bool check_written = true;
  if (access.space == Space::kGlobal) {
    const Allocation* allocation = heap_.find(access.address);
    if (allocation == nullptr || allocation->freed || access.address + access.bytes > allocation->end) {
      fail(std::string("out of bounds: ") + verb + " " + sized(access) + ", " +
               heap_.describe_breach(access.address, access.bytes),
           site);
    }
    check_written = !allocation->pinned;
  }
  Shadow& shadow = access.space == Space::kShared ? shared_shadow_ : heap_.shadow();
  const Finding finding =
      shadow.touch(clock_of(thread, access.space), access.address, access.bytes, access.kind, check_written);
  if (finding.problem == Problem::kUnwritten) {
    fail("uninitialised: " + std::string(verb) + " " + sized(access) + " that nothing wrote, " +
             placed(finding.address, extent),
         site);
  }
  if (finding.problem == Problem::kRace) {
    fail("race: " + std::string(verb) + " " + sized(access) + " " + placed(finding.address, extent) + ", which " +
             describe(finding.other, access.space) + (finding.other_wrote ? " wrote" : " read") +
             " with no barrier between",
         site);
  }
  LaunchStats& stats = launch_->stats;
  ++stats.thread_accesses;
  if (access.kind == AccessKind::kAtomic) {
    ++stats.atomics;
    // An atomic operation of a fenced block publishes what came before, and sees what others published.
    if (access.space == Space::kGlobal) {
      acquire_time_ = ++launch_->release_clock;
      if (fenced_) launch_->releases[serial_ - launch_->first_serial] = {thread.warp->epoch, acquire_time_};
    }
  }
  if (finding.first_touch && access.space == Space::kGlobal) {
    (access.kind == AccessKind::kRead ? stats.global_bytes_read : stats.global_bytes_written) += access.bytes;
  }
  if (access.counted && count_accesses_) thread.warp->accesses.add(thread.lane, access, site);
}

void Block::copy_async(const PendingCopy& copy, const Extent& target_extent, const Extent& source_extent) {
  const Site& site = copy.site;
  if (copy.target % copy.bytes != 0 || copy.source % copy.bytes != 0) {
    fail("misaligned: copy_async of " + std::to_string(copy.bytes) + " bytes", site);
  }
  for (uint32_t done = 0; done < copy.valid_bytes;) {
    // The part that is read, in the largest aligned pieces.
    uint32_t piece = 16;
    while (piece > copy.valid_bytes - done || (copy.source + done) % piece != 0) piece /= 2;
    check({copy.source + done, piece, Space::kGlobal, AccessKind::kRead, true}, source_extent, site);
    done += piece;
  }
  check({copy.target, copy.bytes, Space::kShared, AccessKind::kWrite, true}, target_extent, site);
  // Until it has been waited for, the target holds nothing.
  shared_shadow_.set_written(copy.target, copy.bytes, false);
  std::memset(reinterpret_cast<void*>(copy.target), 0xCB, copy.bytes);
  states_[current_thread->number].copies.push_back(copy);
}

void Block::finish_copies(uint32_t groups_left, const Site& site) {
  ThreadState& state = states_[current_thread->number];
  const uint32_t finished = state.open_group > groups_left ? state.open_group - groups_left : 0;
  std::vector<PendingCopy>& copies = state.copies;
  size_t kept = 0;
  for (const PendingCopy& copy : copies) {
    if (copy.group >= finished) {
      copies[kept++] = copy;
      continue;
    }
    check({copy.target, copy.bytes, Space::kShared, AccessKind::kWrite, false}, {copy.target, copy.target + copy.bytes},
          site);
    std::memset(reinterpret_cast<void*>(copy.target), 0, copy.bytes);
    std::memcpy(reinterpret_cast<void*>(copy.target), reinterpret_cast<const void*>(copy.source), copy.valid_bytes);
  }
  copies.resize(kept);
}

}  // namespace seraph::sim
