// memory.h for the simulator: the same accessors, every access checked. Names and meanings are described there.
#pragma once

#include <array>
#include <bitset>
#include <concepts>
#include <cstring>
#include <type_traits>

#include "kernels/cuda/types.h"
#include "kernels/sim/access.h"

namespace seraph::cuda {

/// A subscript that remembers its place in the source.
struct Subscript {
  int64_t value;
  sim::Site site;
  template <typename I>
  requires std::is_integral_v<I> || std::is_enum_v<I> Subscript(
      I i, sim::Place at = sim::Place::current())  // NOLINT: x[i] converts
      : value(static_cast<int64_t>(i)), site(at) {}
};

/// What x[i] is: reading and writing go through the checks. Converts only as a temporary, so that
/// `auto v = x[i]` (a read that would happen later) does not compile further on.
template <typename T, sim::Space kSpace>
class ElementRef {
 public:
  ElementRef(T* data, const sim::Extent& extent, const sim::Site& site) : data_(data), extent_(extent), site_(site) {}
  ElementRef(const ElementRef&) = delete;
  operator T() const&& { return read(); }
  void operator=(const T& value) const&& { write(value); }
  void operator=(ElementRef&& other) const&& { write(other.read()); }
  void operator+=(const T& value) const&& { write(read() + value); }
  void operator*=(const T& value) const&& { write(read() * value); }

 private:
  T read() const {
    sim::check_access({reinterpret_cast<uintptr_t>(data_), sizeof(T), kSpace, sim::AccessKind::kRead, true}, extent_,
                      site_);
    return *data_;
  }
  void write(const T& value) const {
    sim::check_access({reinterpret_cast<uintptr_t>(data_), sizeof(T), kSpace, sim::AccessKind::kWrite, true}, extent_,
                      site_);
    *data_ = value;
  }

  T* data_;
  const sim::Extent& extent_;
  sim::Site site_;
};

template <typename T, sim::Space kSpace>
class Accessor {
 public:
  using Element = T;
  static constexpr sim::Space kMemory = kSpace;

  Accessor() = default;
  Accessor(T* data, const sim::Extent& extent) : data_(data), extent_(extent) {}
  template <typename U>
  requires std::is_same_v<const U, T> Accessor(const Accessor<U, kSpace>& other)
      : data_(other.raw()), extent_(other.extent()) {}

  decltype(auto) operator[](const Subscript& i) const {
    if constexpr (std::is_const_v<T>) {
      sim::check_access({reinterpret_cast<uintptr_t>(data_ + i.value), sizeof(T), kSpace, sim::AccessKind::kRead, true},
                        extent_, i.site);
      return std::remove_const_t<T>(data_[i.value]);
    } else {
      return ElementRef<T, kSpace>(data_ + i.value, extent_, i.site);
    }
  }
  T* raw() const { return data_; }
  const sim::Extent& extent() const { return extent_; }

 private:
  T* data_ = nullptr;
  sim::Extent extent_;
};

template <typename T>
class Global : public Accessor<T, sim::Space::kGlobal> {
  using Base = Accessor<T, sim::Space::kGlobal>;

 public:
  using Base::Base;
  Global() = default;
  Global(T* data, int64_t count)
      : Base(data, {reinterpret_cast<uintptr_t>(data), reinterpret_cast<uintptr_t>(data + count)}) {}
  template <std::integral I>
  Global operator+(I n) const {
    return Global(this->raw() + n, this->extent());
  }
};

template <typename T>
class Shared : public Accessor<T, sim::Space::kShared> {
  using Base = Accessor<T, sim::Space::kShared>;

 public:
  using Base::Base;
  template <std::integral I>
  Shared operator+(I n) const {
    return Shared(this->raw() + n, this->extent());
  }
};

template <typename T>
Shared<T> shared_array(const sim::Extent& extent) {
  return Shared<T>(reinterpret_cast<T*>(extent.begin), extent);
}

#define SERAPH_SHARED(type, name, count)                                        \
  static const char name##_key = 0;                                             \
  const ::seraph::cuda::Shared<type> name = ::seraph::cuda::shared_array<type>( \
      ::seraph::sim::static_shared(&name##_key, static_cast<uint32_t>(sizeof(type) * (count))))

template <typename T>
Shared<T> dynamic_shared(int byte_offset, int count, sim::Site site = {}) {
  const sim::Extent all = sim::dynamic_shared_bytes();
  const uintptr_t begin = all.begin + static_cast<uintptr_t>(byte_offset);
  const uintptr_t end = begin + sizeof(T) * static_cast<uintptr_t>(count);
  if (byte_offset % 16 != 0) sim::fail("asks for dynamic shared memory at an offset that is no multiple of 16", site);
  if (end > all.end) {
    sim::fail("asks for " + std::to_string(end - all.begin) + " bytes of dynamic shared memory, the launch has " +
                  std::to_string(all.end - all.begin),
              site);
  }
  return shared_array<T>({begin, end});
}

template <typename U, typename T>
Global<U> cast(const Global<T>& x) {
  return Global<U>(reinterpret_cast<U*>(x.raw()), x.extent());
}
template <typename U, typename T>
Shared<U> cast(const Shared<T>& x) {
  return Shared<U>(reinterpret_cast<U*>(x.raw()), x.extent());
}

template <int N, template <typename> class Memory, typename T, std::integral I>
Vec<std::remove_const_t<T>, N> load(const Memory<T>& x, I i, sim::Site site = {}) {
  Vec<std::remove_const_t<T>, N> out;
  sim::check_access(
      {reinterpret_cast<uintptr_t>(x.raw() + i), sizeof(out), Memory<T>::kMemory, sim::AccessKind::kRead, true},
      x.extent(), site);
  std::memcpy(&out, x.raw() + i, sizeof(out));
  return out;
}

template <int N, typename T, std::integral I>
Vec<std::remove_const_t<T>, N> load_streaming(const Global<T>& x, I i, sim::Site site = {}) {
  static_assert(sizeof(T) * N == 16, "streams are read 16 bytes at a time");
  return load<N>(x, i, site);
}

template <template <typename> class Memory, typename T, std::integral I, int N>
void store(const Memory<T>& x, I i, const Vec<T, N>& value, sim::Site site = {}) {
  sim::check_access(
      {reinterpret_cast<uintptr_t>(x.raw() + i), sizeof(value), Memory<T>::kMemory, sim::AccessKind::kWrite, true},
      x.extent(), site);
  std::memcpy(x.raw() + i, &value, sizeof(value));
}

template <template <typename> class Memory, typename T, std::integral I>
T* atomic_element(const Memory<T>& x, I i, const sim::Site& site) {
  static_assert(std::is_integral_v<T> && sizeof(T) >= 4, "sums of floats in an arbitrary order are not exact");
  sim::check_access(
      {reinterpret_cast<uintptr_t>(x.raw() + i), sizeof(T), Memory<T>::kMemory, sim::AccessKind::kAtomic, true},
      x.extent(), site);
  return x.raw() + i;
}
template <template <typename> class Memory, typename T, std::integral I>
T atomic_add(const Memory<T>& x, I i, std::type_identity_t<T> value, sim::Site site = {}) {
  T* element = atomic_element(x, i, site);
  const T old = *element;
  *element = static_cast<T>(static_cast<uint64_t>(old) + static_cast<uint64_t>(value));
  return old;
}
template <template <typename> class Memory, typename T, std::integral I>
T atomic_max(const Memory<T>& x, I i, std::type_identity_t<T> value, sim::Site site = {}) {
  T* element = atomic_element(x, i, site);
  const T old = *element;
  *element = old < value ? value : old;
  return old;
}
template <template <typename> class Memory, typename T, std::integral I>
T atomic_exchange(const Memory<T>& x, I i, std::type_identity_t<T> value, sim::Site site = {}) {
  T* element = atomic_element(x, i, site);
  const T old = *element;
  *element = value;
  return old;
}

}  // namespace seraph::cuda

#include "kernels/sim/fragment.h"
