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
#include "tests/kernels/cuda/device_array.h"

namespace seraph::sim_test {

using namespace seraph::cuda;  // NOLINT: the tests are written in the words of kernels

/// Device memory with host values, as kernels see it.
template <typename T>
class DeviceArray : public cuda_test::DeviceArray<T> {
 public:
  using cuda_test::DeviceArray<T>::DeviceArray;
  Global<T> all() const { return Global<T>(this->data(), this->count()); }
  Global<const T> constant() const { return all(); }
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
