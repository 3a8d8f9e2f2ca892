// Which adapter is in which slot of the device. Slots of running sequences are held; the least recently used of the
// others makes room for an adapter that comes anew. Integers only; engine thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace seraph {

class AdapterSlots {
 public:
  explicit AdapterSlots(int32_t num_slots) : slots_(static_cast<size_t>(num_slots)) {}

  int32_t num_slots() const { return static_cast<int32_t>(slots_.size()); }
  int32_t num_held() const;

  /// The slot of the adapter with one holder more, or -1: all are held, or named by steps in flight (all those after
  /// step number `step_done`).
  int32_t take(uint64_t adapter, int64_t step_done);
  /// One holder less. `step_last`: the number of the latest step that may name the slot.
  void release(int32_t slot, int64_t step_last);
  /// True once for each adapter that take() gave a new slot: its matrices have to be written before the next step.
  bool take_write(int32_t slot);

 private:
  struct Slot {
    uint64_t adapter = 0;  // 0: none yet
    int32_t holders = 0;
    bool must_write = false;
    int64_t step_last = -1;  // the latest step that may name it, once nobody holds it
    uint64_t used = 0;       // order of use
  };
  std::vector<Slot> slots_;
  uint64_t uses_ = 0;
};

}  // namespace seraph
