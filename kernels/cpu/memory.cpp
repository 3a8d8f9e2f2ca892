#include "kernels/cpu/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace seraph::cpu {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;

void release(void* data, int64_t bytes) { munmap(data, static_cast<size_t>(bytes)); }

int64_t meminfo_available_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  int64_t kib = 0;
  std::string rest;
  while (file >> key >> kib && std::getline(file, rest)) {
    if (key == "MemAvailable:") return kib * 1024;
  }
  return 0;
}

/// A number alone in a file; negative when the file is absent or says "max".
int64_t number_in(const char* path) {
  std::ifstream file(path);
  int64_t value = 0;
  return file >> value ? value : -1;
}

}  // namespace

Buffer allocate_memory(int64_t bytes) {
  bytes = std::max<int64_t>(bytes, 64);
  const bool large = bytes >= kHugePage;
  if (large) bytes = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  const int64_t reserved = large ? bytes + kHugePage : bytes;
  void* memory =
      mmap(nullptr, static_cast<size_t>(reserved), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return {};
  if (!large) return Buffer(memory, bytes, release);
  // Cut the reservation to a multiple of the huge page, so that the kernel can use whole ones.
  char* begin = static_cast<char*>(memory);
  const auto address = reinterpret_cast<uintptr_t>(begin);
  const auto skip = static_cast<int64_t>((kHugePage - address % kHugePage) % kHugePage);
  if (skip > 0) munmap(begin, static_cast<size_t>(skip));
  if (kHugePage - skip > 0) munmap(begin + skip + bytes, static_cast<size_t>(kHugePage - skip));
  madvise(begin + skip, static_cast<size_t>(bytes), MADV_HUGEPAGE);  // a wish: the result is the same without
  return Buffer(begin + skip, bytes, release);
}

int64_t memory_available_bytes() {
  int64_t available = meminfo_available_bytes();
  const int64_t limit = number_in("/sys/fs/cgroup/memory.max");
  const int64_t used = number_in("/sys/fs/cgroup/memory.current");
  if (limit >= 0 && used >= 0) available = std::min(available, std::max<int64_t>(limit - used, 0));
  return available;
}

}  // namespace seraph::cpu
