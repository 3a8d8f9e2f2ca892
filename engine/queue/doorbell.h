// How the engine thread sleeps when it has nothing to do, and how others wake it: an eventfd that is
// written only when the engine really sleeps. All decisions are read-modify-write operations on one
// atomic, so acquire/release is enough: whoever comes second in its modification order sees the other.
#pragma once

#include <atomic>
#include <cstdint>

namespace seraph {

class Doorbell {
 public:
  Doorbell();
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  /// Any thread, after it made its work visible (pushed to a ring, set a flag).
  void ring();
  /// The sleeper, before it looks for work: rings from now on count as new.
  void begin_round() { state_.exchange(kAwake, std::memory_order_acq_rel); }
  /// The sleeper, when a round found no work: returns at once if somebody rang since begin_round(), else
  /// sleeps until somebody does. No time limit: an idle server uses no CPU.
  void sleep();

 private:
  static constexpr uint32_t kAwake = 0, kRung = 1, kSleeping = 2;
  std::atomic<uint32_t> state_{kAwake};
  const int event_fd_;
};

}  // namespace seraph
