// Shared by the tests of the simulator: device arrays, and running one kernel to its end.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/ptx.h"
#include "kernels/sim/device.h"

namespace seraph::sim_test {

using namespace seraph::cuda;  // NOLINT: the tests are written in the words of kernels

/// Device memory with host values; the values are there when the constructor returns.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) {
    void* data = nullptr;
    EXPECT_TRUE(allocate(&data, static_cast<int64_t>(count * sizeof(T))).ok());
    data_ = static_cast<T*>(data);
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    EXPECT_TRUE(copy_async(data_, values.data(), bytes(), CopyKind::kHostToDevice, nullptr).ok());
    EXPECT_TRUE(synchronize_device().ok());
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { static_cast<void>(release(data_).ok()); }

  std::vector<T> values() const {
    std::vector<T> out(count_);
    EXPECT_TRUE(copy_async(out.data(), data_, bytes(), CopyKind::kDeviceToHost, nullptr).ok());
    EXPECT_TRUE(synchronize_device().ok());
    return out;
  }
  T* data() const { return data_; }
  Global<T> all() const { return Global<T>(data_, static_cast<int64_t>(count_)); }
  Global<const T> constant() const { return all(); }

 private:
  int64_t bytes() const { return static_cast<int64_t>(count_ * sizeof(T)); }
  size_t count_;
  T* data_ = nullptr;
};

/// Launches on the default stream and waits; what went wrong, "" when nothing did.
template <typename... Parameters, typename... Arguments>
std::string run(void (*kernel)(Parameters...), const LaunchConfig& config, Arguments&&... arguments) {
  const cuda::Status launched = launch(kernel, config, std::forward<Arguments>(arguments)...);
  if (!launched.ok()) return describe(launched);
  static_cast<void>(synchronize_device().ok());
  return sim::Device::current().fault();
}

/// The report has all the parts.
inline void expect_report(const std::string& report, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_NE(report.find(part), std::string::npos) << part << " in: " << report;
}

/// Two blocks of two warps, with any cost allowed.
constexpr LaunchConfig kTwoWarps = {.name = "tiny", .grid = {2}, .block = {64}, .budget = {1 << 20, 100.0F}};

template <typename T>
std::vector<T> random_16bit(size_t count, uint32_t seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<T> out(count);
  for (T& value : out) value = from_float<T>(normal(engine));
  return out;
}

}  // namespace seraph::sim_test
