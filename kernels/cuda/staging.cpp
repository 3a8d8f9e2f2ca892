#include "kernels/cuda/staging.h"

#include <algorithm>
#include <cstring>

namespace seraph::cuda {

bool Staging::open(int64_t half_bytes) {
  for (Half& half : halves_) {
    half.memory = work_.allocate_pinned(half_bytes);
    if (half.memory.data() == nullptr || !work_.check(half.read.make())) return false;
  }
  return true;
}

void Staging::turn() {
  work_.check(record(halves_[current_].read.get(), work_.stream()));
  current_ = 1 - current_;
  used_ = 0;
  if (!work_.failed()) work_.check(synchronize(halves_[current_].read.get()));
}

void Staging::copy(void* device, const void* host, int64_t bytes) {
  constexpr int64_t kAlign = 16;
  int64_t done = 0;
  while (done < bytes && !work_.failed()) {
    if (used_ >= halves_[current_].memory.bytes()) {
      turn();
      continue;
    }
    const int64_t count = std::min(bytes - done, halves_[current_].memory.bytes() - used_);
    char* at = static_cast<char*>(halves_[current_].memory.data()) + used_;
    std::memcpy(at, static_cast<const char*>(host) + done, static_cast<size_t>(count));
    work_.copy(static_cast<char*>(device) + done, at, count, CopyKind::kHostToDevice);
    used_ += (count + kAlign - 1) / kAlign * kAlign;
    done += count;
  }
}

}  // namespace seraph::cuda
