// Part of ptx.h: asynchronous copies from global into shared memory (sm_80), for a GPU. On sm_75 they copy at once.
// Include ptx.h, not this.
#pragma once

namespace seraph::cuda {

/// Copies kBytes (4, 8 or 16, both sides aligned to it) from &source[from] to &target[to]; bytes past `valid_bytes`
/// are zero and are not read. Nothing may read the target before commit, wait and a barrier.
template <int kBytes, typename T, typename U, typename I, typename J>
SERAPH_DEVICE void copy_async(Shared<T> target, I to, Global<U> source, J from, int valid_bytes = kBytes) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
#if __CUDA_ARCH__ >= 800
  const uint32_t address = (target + to).address();
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(source.raw() + from),
                 "r"(valid_bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(source.raw() + from), "n"(kBytes),
                 "r"(valid_bytes)
                 : "memory");
  }
#else
  unsigned char bytes[kBytes];
  const auto* begin = reinterpret_cast<const unsigned char*>(source.raw() + from);
  if (valid_bytes == kBytes) {
    const Word<kBytes> raw = *reinterpret_cast<const Word<kBytes>*>(begin);
    *reinterpret_cast<Word<kBytes>*>(target.raw() + to) = raw;
    return;
  }
  for (int i = 0; i < kBytes; ++i) bytes[i] = i < valid_bytes ? begin[i] : 0;
  memcpy(target.raw() + to, bytes, kBytes);
#endif
}

/// Closes a group of this thread's copies.
SERAPH_DEVICE void commit_async() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/// Waits until at most `kGroups` of this thread's latest groups are still under way.
template <int kGroups>
SERAPH_DEVICE void wait_async() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
#endif
}

/// Programmatic dependent launch (sm_90): wait until the kernel before has written everything, and allow the next
/// one to start its prologue. Without effect elsewhere.
SERAPH_DEVICE void wait_for_previous_kernel() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
SERAPH_DEVICE void allow_next_kernel() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

}  // namespace seraph::cuda
