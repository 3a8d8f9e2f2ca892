#include "engine/queue/doorbell.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/check.h"

namespace seraph {

Doorbell::Doorbell() : event_fd_(eventfd(0, EFD_CLOEXEC)) {
  SERAPH_CHECK(event_fd_ >= 0, "the process has file descriptors left when the engine starts");
}

Doorbell::~Doorbell() { close(event_fd_); }

void Doorbell::ring() {
  if (state_.exchange(kRung, std::memory_order_acq_rel) != kSleeping) return;
  const uint64_t one = 1;
  ssize_t written = 0;
  do {
    written = write(event_fd_, &one, sizeof(one));
  } while (written < 0 && errno == EINTR);
}

void Doorbell::sleep() {
  uint32_t expected = kAwake;
  if (!state_.compare_exchange_strong(expected, kSleeping, std::memory_order_acq_rel, std::memory_order_acquire)) {
    return;
  }
  uint64_t count = 0;
  ssize_t got = 0;
  do {
    got = read(event_fd_, &count, sizeof(count));
  } while (got < 0 && errno == EINTR);
}

}  // namespace seraph
