#include "engine/queue/event_ring.h"

#include <utility>

namespace seraph {

bool EventRing::has_room_for_round() {
  if (ring_.room() >= events_per_round_max_) return true;
  // The loop may drain between the look above and this exchange: so look again after it.
  wants_room_.exchange(true, std::memory_order_acq_rel);
  if (ring_.room() < events_per_round_max_) return false;
  wants_room_.exchange(false, std::memory_order_acq_rel);
  return true;
}

void EventRing::push(Event&& event) {
  SERAPH_CHECK(ring_.try_push(std::move(event)), "the event ring has room for a whole round (event_ring.h)");
}

void EventRing::drain(std::vector<Event>& out) {
  wake_sent_.exchange(false, std::memory_order_acq_rel);
  Event event;
  while (ring_.try_pop(event)) out.push_back(std::move(event));
  if (wants_room_.exchange(false, std::memory_order_acq_rel)) doorbell_.ring();
}

}  // namespace seraph
