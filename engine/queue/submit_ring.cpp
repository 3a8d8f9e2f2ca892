#include "engine/queue/submit_ring.h"

namespace seraph {

bool SubmitRing::try_submit(std::unique_ptr<Request>& request) {
  if (!requests_.try_push(std::move(request))) return false;
  doorbell_.ring();
  return true;
}

void SubmitRing::cancel(RequestId id) {
  flush_cancels();
  if (!spilled_.empty() || !cancels_.try_push(std::move(id))) spilled_.push_back(id);
  doorbell_.ring();
}

void SubmitRing::flush_cancels() {
  size_t done = 0;
  while (done < spilled_.size()) {
    RequestId id = spilled_[done];
    if (!cancels_.try_push(std::move(id))) break;
    ++done;
  }
  if (done == 0) return;
  spilled_.erase(spilled_.begin(), spilled_.begin() + static_cast<std::ptrdiff_t>(done));
  doorbell_.ring();
}

void SubmitRing::drain(std::vector<std::unique_ptr<Request>>& requests, std::vector<RequestId>& cancels) {
  RequestId id = 0;
  for (size_t i = 0; i < cancels_.capacity() && cancels_.try_pop(id); ++i) cancels.push_back(id);
  std::unique_ptr<Request> request;
  for (size_t i = 0; i < requests_.capacity() && requests_.try_pop(request); ++i)
    requests.push_back(std::move(request));
}

}  // namespace seraph
