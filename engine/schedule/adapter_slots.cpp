#include "engine/schedule/adapter_slots.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace seraph {

int32_t AdapterSlots::num_held() const {
  return static_cast<int32_t>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.holders > 0; }));
}

int32_t AdapterSlots::take(uint64_t adapter, int64_t step_done) {
  Slot* chosen = nullptr;
  for (Slot& slot : slots_) {
    if (slot.adapter == adapter) {
      chosen = &slot;
      break;
    }
    const bool free = slot.holders == 0 && slot.step_last <= step_done;
    if (free && (chosen == nullptr || slot.used < chosen->used)) chosen = &slot;
  }
  if (chosen == nullptr) return -1;
  if (chosen->adapter != adapter) {
    chosen->adapter = adapter;
    chosen->must_write = true;
  }
  ++chosen->holders;
  chosen->used = ++uses_;
  return static_cast<int32_t>(chosen - slots_.data());
}

void AdapterSlots::release(int32_t slot, int64_t step_last) {
  Slot& released = slots_[static_cast<size_t>(slot)];
  SERAPH_CHECK(released.holders > 0, "a slot is released by who held it");
  --released.holders;
  released.step_last = std::max(released.step_last, step_last);
}

bool AdapterSlots::take_write(int32_t slot) {
  return std::exchange(slots_[static_cast<size_t>(slot)].must_write, false);
}

}  // namespace seraph
