// The one ring behind every edge between threads: bounded, lock-free, any number of producers, one
// consumer. With a single producer it is the event ring, with several the submit ring. A slot carries a
// ticket that says whose turn it is: equal to the write position, the slot is free; one more, it is full.
// A producer claims a position by moving head_, fills the slot and publishes by storing the ticket
// (release); the consumer reads the ticket (acquire), takes the value and hands the slot to the next lap.
// Orders: acquire and release only. Wake-ups are the users' business (doorbell.h).
// Source: D. Vyukov, "Bounded MPMC queue" (1024cores), with one consumer.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "engine/base/check.h"

namespace seraph {

template <typename T>
class Ring {
 public:
  /// Room for at least `slots_min` values: the next power of two from 2 on. (With one slot, "full" and "free for the
  /// next lap" would be the same ticket.)
  explicit Ring(size_t slots_min) : mask_(round_up(slots_min) - 1), slots_(std::make_unique<Slot[]>(mask_ + 1)) {
    for (uint64_t i = 0; i <= mask_; ++i) slots_[i].ticket.store(i, std::memory_order_relaxed);
  }

  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  size_t capacity() const { return mask_ + 1; }

  /// Any producer. False when full; `value` is then untouched.
  bool try_push(T&& value) {
    uint64_t position = head_.load(std::memory_order_relaxed);
    while (true) {
      Slot& slot = slots_[position & mask_];
      const uint64_t ticket = slot.ticket.load(std::memory_order_acquire);
      if (ticket == position) {
        if (head_.compare_exchange_weak(position, position + 1, std::memory_order_acq_rel, std::memory_order_relaxed)) {
          slot.value = std::move(value);
          slot.ticket.store(position + 1, std::memory_order_release);
          return true;
        }
      } else if (ticket < position) {
        return false;  // the consumer has not emptied this slot since the last lap
      } else {
        position = head_.load(std::memory_order_relaxed);  // another producer took this position
      }
    }
  }

  /// The consumer. False when nothing is published; `out` is then untouched.
  bool try_pop(T& out) {
    const uint64_t position = tail_.load(std::memory_order_relaxed);
    Slot& slot = slots_[position & mask_];
    if (slot.ticket.load(std::memory_order_acquire) != position + 1) return false;
    out = std::move(slot.value);
    slot.value = T();  // what the value owned is freed now, not one lap later
    slot.ticket.store(position + mask_ + 1, std::memory_order_release);
    tail_.store(position + 1, std::memory_order_release);
    return true;
  }

  /// Slots free at this moment. Exact for a single producer in the sense that so many pushes will succeed;
  /// with several producers others may take them first.
  size_t room() const {
    const uint64_t tail = tail_.load(std::memory_order_acquire);
    return capacity() - static_cast<size_t>(head_.load(std::memory_order_relaxed) - tail);
  }

 private:
  struct Slot {
    std::atomic<uint64_t> ticket{0};
    T value{};
  };

  static uint64_t round_up(size_t slots_min) {
    SERAPH_CHECK(slots_min >= 1 && slots_min <= (size_t{1} << 32), "a ring has between 1 and 2^32 slots");
    uint64_t slots = 2;
    while (slots < slots_min) slots *= 2;
    return slots;
  }

  const uint64_t mask_;                        // constant after construction
  const std::unique_ptr<Slot[]> slots_;        // pointer constant after construction
  alignas(64) std::atomic<uint64_t> head_{0};  // next position to claim; producers
  alignas(64) std::atomic<uint64_t> tail_{0};  // next position to take; written by the consumer only
};

}  // namespace seraph
