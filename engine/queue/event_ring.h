// Events on their way from the engine thread to the loop thread.
//
// Capacity proof. One round of the engine publishes at most
//     E = submissions drained (each may be refused) + cancels drained + one event per sequence of the step
//         collected + one failure of ensure_progress()
// events, all of which are limits known at start. The engine begins a round only when the
// ring has room for E, and it is the only producer, so no push of a round can fail: the engine never blocks in the
// middle of a step. The ring holds several rounds, so that a loop that is late by a few steps does not slow the
// engine down; a loop that stopped stops the engine between two steps, with bounded memory, and draining
// wakes it.
#pragma once

#include <atomic>
#include <vector>

#include "engine/queue/doorbell.h"
#include "engine/queue/ring.h"
#include "engine/request.h"

namespace seraph {

class EventRing {
 public:
  struct Limits {
    size_t drained_max = 0;          // requests and cancels that one round takes (SubmitRing::drain_max)
    size_t events_per_step_max = 0;  // sequences of a step times the tokens each may gain
  };
  /// The engine waits for room on `doorbell`.
  EventRing(const Limits& limits, Doorbell& doorbell)
      : events_per_round_max_(limits.drained_max + limits.events_per_step_max + 1),
        ring_(events_per_round_max_ + limits.events_per_step_max * kStepsBehind),
        doorbell_(doorbell) {}

  /// Engine thread, before a round. False: do not begin one; the doorbell rings when the loop has drained.
  bool has_room_for_round();
  /// Engine thread. Ends the process when full, which the proof above rules out.
  void push(Event&& event);
  /// Engine thread, once after the pushes of a batch. True when the loop must be woken: it has begun no drain since
  /// the last time this was true.
  bool publish() { return !wake_sent_.exchange(true, std::memory_order_acq_rel); }

  /// Loop thread. Appends everything published; one wake-up may stand for many publishes.
  void drain(std::vector<Event>& out);

 private:
  static constexpr size_t kStepsBehind = 64;  // full steps that the loop may lag behind before the engine waits

  const size_t events_per_round_max_;
  Ring<Event> ring_;
  Doorbell& doorbell_;
  // Both flags are only changed by exchange: the second of two exchanges sees what the first thread wrote before.
  std::atomic<bool> wake_sent_{false};   // the loop was woken and has not begun to drain
  std::atomic<bool> wants_room_{false};  // the engine sleeps until the loop has drained
};

}  // namespace seraph
