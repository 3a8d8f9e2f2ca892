#include "kernels/sim/shadow.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

namespace seraph::sim {
namespace {

void* map_lazily(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();  // address space only: nothing else works either
  return memory;
}

// A record in one word: serial, thread, epoch from the top.
uint64_t packed(uint32_t serial, uint32_t thread, uint32_t epoch) {
  return static_cast<uint64_t>(serial) << 32 | static_cast<uint64_t>(thread) << 20 | epoch;
}
Record unpacked(uint64_t bits) {
  return {static_cast<uint32_t>(bits >> 32), static_cast<uint32_t>(bits >> 20) & 0xFFFU,
          static_cast<uint32_t>(bits) & kEpochMax};
}

bool same_warp(const Record& record, const Clock& clock) {
  if (record.thread < kWarpCode) return record.thread / 32 == clock.thread / 32;
  return record.thread < kManyThreads && record.thread - kWarpCode == clock.thread / 32;
}

/// The recorded access happened before everything the clock's thread does now.
bool ordered(const Record& record, const Clock& clock) {
  if (record.serial < clock.first_serial) return true;
  if (record.thread == kManyBlocks) return clock.acquire_time != 0;
  if (record.serial == clock.serial) {
    return record.thread == clock.thread || record.epoch < clock.block_epoch ||
           (same_warp(record, clock) && record.epoch < clock.epoch);
  }
  const BlockRelease& release = (*clock.releases)[record.serial - clock.first_serial];
  return release.time != 0 && release.time <= clock.acquire_time && record.epoch <= release.epoch;
}

/// The readers so far and this one, as one record.
uint64_t joined(const Record& reader, const Clock& clock) {
  if (reader.serial < clock.first_serial || reader.serial == 0) return packed(clock.serial, clock.thread, clock.epoch);
  if (reader.serial != clock.serial || reader.thread == kManyBlocks) {
    return packed(clock.serial, kManyBlocks, clock.epoch);
  }
  if (ordered(reader, clock)) return packed(clock.serial, clock.thread, clock.epoch);
  const uint32_t epoch = std::max(reader.epoch, clock.epoch);
  return packed(clock.serial, same_warp(reader, clock) ? kWarpCode + clock.thread / 32 : kManyThreads, epoch);
}

}  // namespace

Shadow::Shadow(uintptr_t base, size_t bytes) : base_(base), num_words_(bytes / 4) {
  state_ = static_cast<uint8_t*>(map_lazily(num_words_));
  words_ = static_cast<Entry*>(map_lazily(num_words_ * sizeof(Entry)));
  bytes_ = static_cast<Entry*>(map_lazily(num_words_ * 4 * sizeof(Entry)));
}

Shadow::~Shadow() {
  munmap(state_, num_words_);
  munmap(words_, num_words_ * sizeof(Entry));
  munmap(bytes_, num_words_ * 4 * sizeof(Entry));
}

void Shadow::split(size_t word) {
  std::fill_n(bytes_ + word * 4, 4, words_[word]);
  state_[word] |= kSplit;
}

Finding Shadow::check(Entry& entry, const Clock& clock, AccessKind kind, uintptr_t address) const {
  const uint64_t mine = packed(clock.serial, clock.thread, clock.epoch);
  if (kind == AccessKind::kRead && entry.reader == mine && entry.writer < packed(clock.first_serial, 0, 0)) return {};
  const Record writer = unpacked(entry.writer);
  const Record reader = unpacked(entry.reader);
  Finding finding;
  const bool both_atomic = kind == AccessKind::kAtomic && writer.thread == kAtomicThread;
  if (!both_atomic && !ordered(writer, clock)) return {Problem::kRace, address, writer, true};
  if (kind != AccessKind::kRead && !ordered(reader, clock)) return {Problem::kRace, address, reader, false};
  // What this launch wrote need not come from DRAM when it is read.
  finding.first_touch =
      writer.serial < clock.first_serial && (kind != AccessKind::kRead || reader.serial < clock.first_serial);
  if (kind == AccessKind::kRead) {
    entry.reader = joined(reader, clock);
  } else {
    entry.writer = kind == AccessKind::kAtomic ? packed(clock.serial, kAtomicThread, clock.epoch) : mine;
    entry.reader = 0;
  }
  return finding;
}

Finding Shadow::touch(const Clock& clock, uintptr_t address, uint32_t bytes, AccessKind kind, bool check_written) {
  const size_t offset = address - base_;
  Finding finding;
  for (size_t word = offset / 4; word * 4 < offset + bytes; ++word) {
    const size_t begin = std::max(word * 4, offset) - word * 4;
    const size_t end = std::min(word * 4 + 4, offset + bytes) - word * 4;
    const auto mask = static_cast<uint8_t>((1U << end) - (1U << begin));
    uint8_t& state = state_[word];
    if (kind == AccessKind::kWrite) {
      state |= mask;
    } else if (check_written && (state & mask) != mask) {
      const auto missing = static_cast<unsigned>(mask & ~state);
      return {Problem::kUnwritten, base_ + word * 4 + static_cast<size_t>(std::countr_zero(missing))};
    }
    Finding found;
    if (mask == kWritten && (state & kSplit) == 0) {
      found = check(words_[word], clock, kind, base_ + word * 4);
    } else {
      if ((state & kSplit) == 0) split(word);
      for (size_t byte = begin; byte < end && found.problem == Problem::kNone; ++byte) {
        found = check(bytes_[word * 4 + byte], clock, kind, base_ + word * 4 + byte);
      }
      if (mask == kWritten && kind == AccessKind::kWrite) {
        words_[word] = bytes_[word * 4];
        state &= static_cast<uint8_t>(~kSplit);
      }
    }
    if (found.problem != Problem::kNone) return found;
    finding.first_touch |= found.first_touch;
  }
  return finding;
}

void Shadow::set_written(uintptr_t address, size_t bytes, bool written) {
  const size_t begin = address - base_;
  const size_t end = begin + bytes;
  const auto one = [&](size_t byte) {
    const auto bit = static_cast<uint8_t>(1U << byte % 4);
    state_[byte / 4] = static_cast<uint8_t>(written ? state_[byte / 4] | bit : state_[byte / 4] & ~bit);
  };
  size_t byte = begin;
  while (byte < end && byte % 4 != 0) one(byte++);
  const size_t words = (end - byte) / 4;
  // Whole words keep no history either: a copy is ordered with every launch. A fresh mapping is zero already.
  if (written) {
    std::memset(state_ + byte / 4, kWritten, words);
  } else {
    for (size_t word = byte / 4; word < byte / 4 + words; ++word) {
      if (state_[word] != 0) state_[word] = 0;
    }
  }
  byte += words * 4;
  while (byte < end) one(byte++);
}

void Shadow::copy_written(uintptr_t to, uintptr_t from, size_t bytes) {
  for (size_t i = 0; i < bytes;) {
    // Runs of one verdict are found word by word where both sides are aligned, else byte by byte.
    const size_t step = (to + i) % 4 == 0 && (from + i) % 4 == 0 && bytes - i >= 4 ? 4 : 1;
    if (step == 4) {
      uint8_t& target = state_[(to + i - base_) / 4];
      target = static_cast<uint8_t>((target & ~kWritten) | (state_[(from + i - base_) / 4] & kWritten));
    } else {
      set_written(to + i, 1, is_written(from + i, 1));
    }
    i += step;
  }
}

bool Shadow::is_written(uintptr_t address, size_t bytes) const {
  for (size_t i = 0; i < bytes; ++i) {
    const size_t byte = address - base_ + i;
    if ((state_[byte / 4] >> byte % 4 & 1U) == 0) return false;
  }
  return true;
}

}  // namespace seraph::sim
