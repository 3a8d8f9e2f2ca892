#include "kernels/sim/heap.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace seraph::sim {
namespace {

// ThreadSanitizer leaves a program little address space, and the shadow takes twenty times this.
#ifdef __SANITIZE_THREAD__
constexpr size_t kReservedBytes = size_t{1} << 32;
#else
constexpr size_t kReservedBytes = size_t{1} << 36;
#endif
constexpr size_t kGuardBytes = 64 * 1024;
constexpr size_t kPageBytes = 4096;
// Poison past this much only costs time: the shadow knows unwritten memory anyway.
constexpr size_t kPoisonedBytesMax = size_t{16} << 20;
constexpr int kPoison = 0xCB;

uintptr_t reserve(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();  // address space only: nothing else works either
  return reinterpret_cast<uintptr_t>(memory);
}

}  // namespace

Heap::Heap(int64_t bytes_max)
    : bytes_max_(bytes_max),
      reserved_(kReservedBytes),
      base_(reserve(reserved_)),
      shadow_(base_, reserved_),
      next_(base_ + kGuardBytes) {}

Heap::~Heap() { munmap(reinterpret_cast<void*>(base_), reserved_); }

void* Heap::allocate(int64_t bytes, bool pinned) {
  if (!pinned && bytes > bytes_max_ - bytes_used_) return nullptr;
  const size_t size = static_cast<size_t>(bytes);
  const size_t pages = (size + kPageBytes - 1) / kPageBytes * kPageBytes;
  if (next_ + pages + kGuardBytes > base_ + reserved_) return nullptr;
  void* data = reinterpret_cast<void*>(next_);
  if (mprotect(data, pages, PROT_READ | PROT_WRITE) != 0) return nullptr;
  std::memset(data, kPoison, std::min(size, kPoisonedBytesMax));
  const auto number = static_cast<uint64_t>(allocations_.size()) + 1;
  allocations_.emplace(next_, Allocation{next_, next_ + size, number, pinned, false});
  next_ += pages + kGuardBytes;
  (pinned ? pinned_bytes_ : bytes_used_) += bytes;
  ++num_living_;
  return data;
}

bool Heap::release(void* data, bool pinned) {
  const auto found = allocations_.find(reinterpret_cast<uintptr_t>(data));
  if (found == allocations_.end() || found->second.freed || found->second.pinned != pinned) return false;
  Allocation& allocation = found->second;
  allocation.freed = true;
  const size_t size = allocation.end - allocation.begin;
  const size_t pages = (size + kPageBytes - 1) / kPageBytes * kPageBytes;
  madvise(data, pages, MADV_DONTNEED);
  mprotect(data, pages, PROT_NONE);
  (pinned ? pinned_bytes_ : bytes_used_) -= static_cast<int64_t>(size);
  --num_living_;
  return true;
}

const Allocation* Heap::find(uintptr_t address) const {
  for (const Allocation* recent : recent_) {
    if (recent != nullptr && address >= recent->begin && address < recent->end) return recent;
  }
  auto after = allocations_.upper_bound(address);
  if (after == allocations_.begin()) return nullptr;
  const Allocation* found = &(--after)->second;
  if (address >= found->end) return nullptr;
  recent_[next_recent_++ % 4] = found;
  return found;
}

std::string Heap::describe_breach(uintptr_t address, int64_t bytes) const {
  const Allocation* allocation = find(address);
  if (allocation == nullptr) return "which is no device memory";
  if (allocation->freed) return "which was freed (allocation " + std::to_string(allocation->number) + ")";
  if (address + static_cast<uintptr_t>(bytes) > allocation->end) {
    return "past the end of allocation " + std::to_string(allocation->number) + " of " +
           std::to_string(allocation->end - allocation->begin) + " bytes";
  }
  return "";
}

}  // namespace seraph::sim
