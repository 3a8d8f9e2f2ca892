// The queue between the loop (one producer) and the store thread (one consumer): a ring of rows without locks. The
// producer never waits; the consumer sleeps outside of it and is woken when the ring stops being empty.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "daemon/store/store.h"

namespace seraph {

class RowRing {
 public:
  enum class Push {
    kFull,
    kFirst,  // the ring was empty: the consumer may sleep
    kQueued,
  };

  explicit RowRing(int32_t rows_min) {
    size_t size = 1;
    while (size < static_cast<size_t>(rows_min)) size *= 2;
    slots_.resize(size);
  }

  /// Producer's thread.
  Push try_push(StoreRow&& row) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_.load(std::memory_order_acquire) == slots_.size()) {
      return Push::kFull;
    }
    slots_[head & (slots_.size() - 1)] = std::move(row);
    // Sequentially consistent together with the loads and stores of pop() and size(): either the consumer sees
    // this row before it sleeps, or this thread sees that everything before the row is taken and wakes it.
    head_.store(head + 1, std::memory_order_seq_cst);
    return tail_.load(std::memory_order_seq_cst) == head ? Push::kFirst : Push::kQueued;
  }

  /// Consumer's thread. False: empty.
  bool pop(StoreRow& row) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (head_.load(std::memory_order_seq_cst) == tail) {
      return false;
    }
    row = std::move(slots_[tail & (slots_.size() - 1)]);
    tail_.store(tail + 1, std::memory_order_seq_cst);
    return true;
  }

  /// Either thread; exact for the consumer as a lower bound.
  size_t size() const {
    return static_cast<size_t>(head_.load(std::memory_order_seq_cst) - tail_.load(std::memory_order_seq_cst));
  }

 private:
  std::vector<StoreRow> slots_;                // size constant after construction
  alignas(64) std::atomic<uint64_t> head_{0};  // written by the producer
  alignas(64) std::atomic<uint64_t> tail_{0};  // written by the consumer
};

}  // namespace seraph
