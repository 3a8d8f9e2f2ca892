// Pinned host memory that data passes through on its way to the device: the caller's memory is free when copy()
// returns, the copy itself runs on the stream. Two halves: one is filled while the other is read.
#pragma once

#include "kernels/cuda/stream_work.h"

namespace seraph::cuda {

class Staging {
 public:
  explicit Staging(StreamWork& work) : work_(work) {}
  /// False when there is no memory.
  bool open(int64_t half_bytes);
  void copy(void* device, const void* host, int64_t bytes);
  int64_t bytes() const { return halves_[0].memory.bytes() + halves_[1].memory.bytes(); }

 private:
  struct Half {
    Buffer memory;
    OwnedEvent read;  // when the device has read what was in it
  };
  /// The other half, once the device has read it.
  void turn();

  StreamWork& work_;
  Half halves_[2];
  int current_ = 0;
  int64_t used_ = 0;
};

}  // namespace seraph::cuda
