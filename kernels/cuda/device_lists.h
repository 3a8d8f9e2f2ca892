// Lists of integers that operations are given in host memory, moved to the device: those of a whole step together
// when they are staged, others by the operation that needs them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/cuda/staging.h"

namespace seraph::cuda {

class DeviceLists {
 public:
  DeviceLists(StreamWork& work, Staging& staging) : work_(work), staging_(staging) {}

  /// Room for so many integers in all. False when there is no memory.
  bool plan(int64_t integers);
  int64_t bytes() const { return step_.bytes() + operation_.bytes(); }
  /// Lists of the same sizes in the same order always go to the same addresses.
  void stage(std::span<const std::span<const int32_t>> lists);
  /// What was staged is found no more; it stays where it is.
  void forget() { staged_.clear(); }

  /// Before the lists of one operation are asked for.
  void begin_operation() { used_ = 0; }
  /// The list in device memory, valid for operations issued before the next begin_operation() (a staged one: before
  /// the next stage()). Null when it is empty or the device failed.
  int32_t* find(std::span<const int32_t> list);
  /// Only staged lists may be named while operations are recorded.
  void set_recording(bool recording) { recording_ = recording; }

 private:
  struct Staged {
    const int32_t* host = nullptr;
    size_t size = 0;
    int32_t* device = nullptr;
  };
  int32_t* move_now(std::span<const int32_t> list);

  StreamWork& work_;
  Staging& staging_;
  Buffer step_;       // of what was staged
  Buffer operation_;  // of the rest
  int64_t used_ = 0;  // integers of operation_
  bool recording_ = false;
  std::vector<Staged> staged_;
  std::vector<int32_t> together_;
};

}  // namespace seraph::cuda
