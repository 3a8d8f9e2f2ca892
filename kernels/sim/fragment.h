// Part of memory.h for the simulator: registers that know whether anything was ever put into them.
#pragma once

namespace seraph::cuda {

template <typename T, int N>
struct Fragment {
  class Ref {
   public:
    Ref(Fragment& fragment, int64_t i) : fragment_(fragment), i_(i) {}
    Ref(const Ref&) = delete;
    operator T() const&& { return fragment_.value(i_); }
    void operator=(const T& value) const&& { fragment_.put(i_, value); }
    void operator=(Ref&& other) const&& { fragment_.put(i_, other.fragment_.value(other.i_)); }
    void operator+=(const T& value) const&& { fragment_.put(i_, fragment_.value(i_) + value); }
    void operator-=(const T& value) const&& { fragment_.put(i_, fragment_.value(i_) - value); }
    void operator*=(const T& value) const&& { fragment_.put(i_, fragment_.value(i_) * value); }

   private:
    Fragment& fragment_;
    int64_t i_;
  };

  template <std::integral I>
  Ref operator[](I i) {
    return Ref(*this, static_cast<int64_t>(i));
  }
  template <std::integral I>
  T operator[](I i) const {
    return value(static_cast<int64_t>(i));
  }
  void fill(T x) {
    v.fill(x);
    written.set();
  }

  T value(int64_t i, sim::Site site = {}) const {
    if (i < 0 || i >= N) sim::fail("reads register " + std::to_string(i) + " of " + std::to_string(N), site);
    if (!written[static_cast<size_t>(i)]) {
      sim::fail("reads register " + std::to_string(i) + " of a fragment that nothing wrote", site);
    }
    return v[static_cast<size_t>(i)];
  }
  void put(int64_t i, T value) {
    if (i < 0 || i >= N) sim::fail("writes register " + std::to_string(i) + " of " + std::to_string(N), {});
    v[static_cast<size_t>(i)] = value;
    written.set(static_cast<size_t>(i));
  }
  /// Instructions read all registers at once.
  void require_written(const char* what, const sim::Site& site) const {
    if (written.all()) return;
    for (size_t i = 0; i < N; ++i) {
      if (!written[i]) {
        sim::fail(std::string(what) + " reads register " + std::to_string(i) + " of a fragment that nothing wrote",
                  site);
      }
    }
  }

  std::array<T, N> v;
  std::bitset<N> written;
};

template <int N, typename T, int M>
Fragment<T, N> slice(const Fragment<T, M>& fragment, int begin) {
  Fragment<T, N> part;
  for (int i = 0; i < N; ++i) {
    part.v[static_cast<size_t>(i)] = fragment.v[static_cast<size_t>(begin + i)];
    part.written[static_cast<size_t>(i)] = fragment.written[static_cast<size_t>(begin + i)];
  }
  return part;
}

}  // namespace seraph::cuda
