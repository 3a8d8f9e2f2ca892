// The stream that everything of one backend runs on, and the first thing that went wrong on it. After a fault every
// call returns at once: a device that failed answers nothing more, and the fault is reported where steps are waited
// for.
#pragma once

#include <string>

#include "kernels/backend.h"
#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// An event that is destroyed with its owner.
class OwnedEvent {
 public:
  OwnedEvent() = default;
  OwnedEvent(const OwnedEvent&) = delete;
  OwnedEvent& operator=(const OwnedEvent&) = delete;
  ~OwnedEvent() {
    if (made_) static_cast<void>(destroy_event(event_).ok());
  }
  Status make() {
    const Status status = create_event(event_);
    made_ = status.ok();
    return status;
  }
  Event get() const { return event_; }

 private:
  Event event_ = {};
  bool made_ = false;
};

class StreamWork {
 public:
  StreamWork() = default;
  StreamWork(const StreamWork&) = delete;
  StreamWork& operator=(const StreamWork&) = delete;
  ~StreamWork();

  /// False when the stream cannot be made; fault() says why.
  bool open();
  Stream stream() const { return stream_; }
  bool failed() const { return !fault_.empty(); }
  const std::string& fault() const { return fault_; }
  /// Keeps the first bad one.
  bool check(const Status& status);
  DeviceStatus status() const { return {.ok = fault_.empty(), .message = fault_}; }
  void wait() {
    if (!failed()) check(synchronize(stream_));
  }

  /// Zeroed device memory, empty when there is none left.
  Buffer allocate(int64_t bytes);
  /// Host memory that the device copies from and to on its own.
  Buffer allocate_pinned(int64_t bytes);
  /// The buffer holds at least `bytes`, zeroed if it is new. False when there is no memory.
  bool reserve(Buffer& buffer, int64_t bytes);

  void copy(void* to, const void* from, int64_t bytes, CopyKind kind);
  void fill_zero(void* data, int64_t bytes);

 private:
  Stream stream_ = {};
  bool open_ = false;
  std::string fault_;
};

}  // namespace seraph::cuda
