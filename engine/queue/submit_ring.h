// Requests and cancels on their way from the loop thread to the engine thread. Submissions can be
// refused (429); cancels cannot: they travel in a ring of their own, and what does not fit there waits on
// the loop's side until the engine made room. Such a cancel is not forgotten: its request is open, so the
// engine will still publish an event for it, and the loop calls flush_cancels() whenever it drains events.
#pragma once

#include <memory>
#include <vector>

#include "engine/queue/doorbell.h"
#include "engine/queue/ring.h"
#include "engine/request.h"

namespace seraph {

class SubmitRing {
 public:
  SubmitRing(size_t slots_min, Doorbell& doorbell) : requests_(slots_min), cancels_(slots_min), doorbell_(doorbell) {}

  /// Loop thread. False when full: `request` is then untouched.
  bool try_submit(std::unique_ptr<Request>& request);
  /// Loop thread. Never refused.
  void cancel(RequestId id);
  /// Loop thread: hands over cancels that found no slot before.
  void flush_cancels();

  /// Engine thread. Appends cancels and the requests submitted before them. A cancel never overtakes the request it
  /// means: cancels are taken first, then as many requests as the ring can hold, so the caller that adds the requests
  /// before it applies the cancels knows every request they mean.
  void drain(std::vector<std::unique_ptr<Request>>& requests, std::vector<RequestId>& cancels);
  /// The most that one drain() appends, requests and cancels together.
  size_t drain_max() const { return requests_.capacity() + cancels_.capacity(); }

 private:
  Ring<std::unique_ptr<Request>> requests_;
  Ring<RequestId> cancels_;
  std::vector<RequestId> spilled_;  // loop thread; cancels in order of arrival
  Doorbell& doorbell_;
};

}  // namespace seraph
