#include "kernels/cuda/device_lists.h"

#include <algorithm>

namespace seraph::cuda {
namespace {

constexpr int64_t kBytes = sizeof(int32_t);
constexpr size_t kAlign = 4;  // integers: lists begin on 16 bytes

size_t aligned(size_t integers) { return (integers + kAlign - 1) / kAlign * kAlign; }

}  // namespace

bool DeviceLists::plan(int64_t integers) {
  staged_.reserve(16);
  together_.reserve(static_cast<size_t>(integers));
  return work_.reserve(step_, integers * kBytes) && work_.reserve(operation_, integers * kBytes);
}

void DeviceLists::stage(std::span<const std::span<const int32_t>> lists) {
  staged_.clear();
  together_.clear();
  for (const auto& list : lists) together_.resize(together_.size() + aligned(list.size()));
  const int64_t bytes = static_cast<int64_t>(together_.size()) * kBytes;
  if (bytes > step_.bytes()) {
    work_.check({kErrorInvalidValue, "stage(): more than plan_scratch() foresaw"});
    return;
  }
  size_t begin = 0;
  for (const auto& list : lists) {
    std::copy(list.begin(), list.end(), together_.begin() + static_cast<std::ptrdiff_t>(begin));
    if (!list.empty()) staged_.push_back({list.data(), list.size(), static_cast<int32_t*>(step_.data()) + begin});
    begin += aligned(list.size());
  }
  staging_.copy(step_.data(), together_.data(), bytes);
}

int32_t* DeviceLists::find(std::span<const int32_t> list) {
  if (list.empty()) return nullptr;
  for (const Staged& staged : staged_) {
    if (staged.host == list.data() && staged.size == list.size()) return staged.device;
  }
  return move_now(list);
}

/// Into operation_: kernels before this one have read what was there, because everything is on one stream.
int32_t* DeviceLists::move_now(std::span<const int32_t> list) {
  if (recording_) {
    work_.check({kErrorCaptureUnsupported, "a recorded operation with a list that was not staged"});
    return nullptr;
  }
  const auto needed = static_cast<int64_t>(aligned(list.size()));
  if ((used_ + needed) * kBytes > operation_.bytes()) {
    work_.check({kErrorInvalidValue, "an operation with longer lists than plan_scratch() foresaw"});
    return nullptr;
  }
  int32_t* device = static_cast<int32_t*>(operation_.data()) + used_;
  staging_.copy(device, list.data(), static_cast<int64_t>(list.size()) * kBytes);
  used_ += needed;
  return device;
}

}  // namespace seraph::cuda
