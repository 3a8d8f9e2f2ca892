// How kernels reach memory. Global memory, shared memory and register fragments are used through these accessors
// only: for a GPU they compile to plain pointers and arrays, in the simulator each access is checked (bounds,
// alignment, something was written there, no race) and counted (sectors, bank conflicts). See README.md.
//
//   Global<T>            made on the host from a device pointer and the number of elements that may be touched
//   Shared<T>            SERAPH_SHARED(T, name, count), or dynamic_shared<T>(byte_offset, count)
//   Fragment<T, N>       N registers of one thread; must be indexed with constants after unrolling
//   x[i]                 one element; write `const float v = x[i]` with the type spelled out, never auto
//   x + n, cast<U>(x)    the same memory from element n on, or seen as other elements
//   load<N>(x, i)        Vec<T, N> from elements i .. i + N - 1, aligned to its own size; store(x, i, vec)
//   load_streaming<N>    the same for memory that is read once: past L1, first to leave L2
//   atomic_add, atomic_max, atomic_exchange(x, i, value)  return the old value; int32_t, uint32_t and uint64_t only,
//                        because sums of floats in an arbitrary order are not exact
#pragma once

#include "kernels/cuda/types.h"

#if defined(SERAPH_CUDA_SIM)
#include "kernels/sim/accessors.h"
#elif defined(SERAPH_DEVICE_CODE)

#include <cstring>
#include <type_traits>

namespace seraph::cuda {

template <typename T>
class Global {
 public:
  Global() = default;
  /// `count` elements may be touched: the simulator holds the kernel to it.
  SERAPH_HOST_DEVICE Global(T* data, int64_t /*count*/) : data_(data) {}
  template <typename U>
  requires std::is_same_v<const U, T> SERAPH_HOST_DEVICE Global(const Global<U>& other) : data_(other.raw()) {}
  template <typename I>
  SERAPH_DEVICE T& operator[](I i) const {
    return data_[i];
  }
  template <typename I>
  SERAPH_DEVICE Global operator+(I n) const {
    return Global(data_ + n, 0);
  }
  SERAPH_HOST_DEVICE T* raw() const { return data_; }

 private:
  T* data_ = nullptr;
};

template <typename T>
class Shared {
 public:
  SERAPH_DEVICE explicit Shared(T* data) : data_(data) {}
  template <typename U>
  requires std::is_same_v<const U, T> SERAPH_DEVICE Shared(const Shared<U>& other) : data_(other.raw()) {}
  template <typename I>
  SERAPH_DEVICE T& operator[](I i) const {
    return data_[i];
  }
  template <typename I>
  SERAPH_DEVICE Shared operator+(I n) const {
    return Shared(data_ + n);
  }
  SERAPH_DEVICE T* raw() const { return data_; }
  /// The address inside shared memory, as PTX wants it.
  SERAPH_DEVICE uint32_t address() const { return static_cast<uint32_t>(__cvta_generic_to_shared(data_)); }

 private:
  T* data_;
};

template <typename T, int N>
struct Fragment {
  T v[N];
  SERAPH_DEVICE T& operator[](int i) { return v[i]; }
  SERAPH_DEVICE const T& operator[](int i) const { return v[i]; }
  SERAPH_DEVICE void fill(T x) {
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = x;
  }
};

template <int N, typename T, int M>
SERAPH_DEVICE Fragment<T, N> slice(const Fragment<T, M>& fragment, int begin) {
  Fragment<T, N> part;
#pragma unroll
  for (int i = 0; i < N; ++i) part.v[i] = fragment.v[begin + i];
  return part;
}

#define SERAPH_SHARED(type, name, count)                                         \
  __shared__ __align__(16) unsigned char name##_storage[sizeof(type) * (count)]; \
  const ::seraph::cuda::Shared<type> name(reinterpret_cast<type*>(name##_storage))

/// `count` elements of the launch's dynamic shared memory from `byte_offset` (a multiple of 16) on.
template <typename T>
SERAPH_DEVICE Shared<T> dynamic_shared(int byte_offset, int /*count*/) {
  extern __shared__ __align__(128) unsigned char seraph_dynamic_shared[];
  return Shared<T>(reinterpret_cast<T*>(seraph_dynamic_shared + byte_offset));
}

template <typename U, typename T>
SERAPH_DEVICE Global<U> cast(Global<T> x) {
  return Global<U>(reinterpret_cast<U*>(x.raw()), 0);
}
template <typename U, typename T>
SERAPH_DEVICE Shared<U> cast(Shared<T> x) {
  return Shared<U>(reinterpret_cast<U*>(x.raw()));
}

/// The integer type that moves `bytes` in one instruction; arrays of 16-bit members would move one by one.
template <int kBytes>
using Word =
    std::conditional_t<kBytes == 16, uint4,
                       std::conditional_t<kBytes == 8, uint2,
                                          std::conditional_t<kBytes == 4, uint32_t,
                                                             std::conditional_t<kBytes == 2, uint16_t, uint8_t> > > >;

template <int N, template <typename> class Memory, typename T, typename I>
SERAPH_DEVICE Vec<std::remove_const_t<T>, N> load(Memory<T> x, I i) {
  using Raw = Word<sizeof(T) * N>;
  const Raw raw = *reinterpret_cast<const Raw*>(x.raw() + i);
  Vec<std::remove_const_t<T>, N> out;
  memcpy(&out, &raw, sizeof(out));
  return out;
}

template <int N, typename T, typename I>
SERAPH_DEVICE Vec<std::remove_const_t<T>, N> load_streaming(Global<T> x, I i) {
  static_assert(sizeof(T) * N == 16, "streams are read 16 bytes at a time");
  uint4 raw;
  asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(raw.x), "=r"(raw.y), "=r"(raw.z), "=r"(raw.w)
               : "l"(x.raw() + i));
  Vec<std::remove_const_t<T>, N> out;
  memcpy(&out, &raw, sizeof(out));
  return out;
}

template <template <typename> class Memory, typename T, typename I, int N>
SERAPH_DEVICE void store(Memory<T> x, I i, const Vec<T, N>& value) {
  using Raw = Word<sizeof(T) * N>;
  Raw raw;
  memcpy(&raw, &value, sizeof(raw));
  *reinterpret_cast<Raw*>(x.raw() + i) = raw;
}

/// CUDA's name for the 64-bit type that it has atomic operations of.
template <typename T>
using AtomicWord = std::conditional_t<sizeof(T) == 8, unsigned long long, T>;

template <template <typename> class Memory, typename T, typename I>
SERAPH_DEVICE AtomicWord<T>* atomic_word(Memory<T> x, I i) {
  static_assert(std::is_integral_v<T>, "sums of floats in an arbitrary order are not exact");
  return reinterpret_cast<AtomicWord<T>*>(x.raw() + i);
}
template <template <typename> class Memory, typename T, typename I>
SERAPH_DEVICE T atomic_add(Memory<T> x, I i, std::type_identity_t<T> value) {
  return atomicAdd(atomic_word(x, i), static_cast<AtomicWord<T> >(value));
}
template <template <typename> class Memory, typename T, typename I>
SERAPH_DEVICE T atomic_max(Memory<T> x, I i, std::type_identity_t<T> value) {
  return atomicMax(atomic_word(x, i), static_cast<AtomicWord<T> >(value));
}
template <template <typename> class Memory, typename T, typename I>
SERAPH_DEVICE T atomic_exchange(Memory<T> x, I i, std::type_identity_t<T> value) {
  return atomicExch(atomic_word(x, i), static_cast<AtomicWord<T> >(value));
}

}  // namespace seraph::cuda

#endif
