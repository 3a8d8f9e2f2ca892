// Device memory with host values, on the simulator and on a GPU.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "kernels/cuda/runtime.h"

namespace seraph::cuda_test {

/// The values are there when the constructor returns.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) {
    void* data = nullptr;
    EXPECT_TRUE(cuda::allocate(&data, static_cast<int64_t>(count * sizeof(T))).ok());
    data_ = static_cast<T*>(data);
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    EXPECT_TRUE(cuda::copy_async(data_, values.data(), bytes(), cuda::CopyKind::kHostToDevice, nullptr).ok());
    EXPECT_TRUE(cuda::synchronize_device().ok());
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { static_cast<void>(cuda::release(data_).ok()); }

  std::vector<T> values() const {
    std::vector<T> out(count_);
    EXPECT_TRUE(cuda::copy_async(out.data(), data_, bytes(), cuda::CopyKind::kDeviceToHost, nullptr).ok());
    EXPECT_TRUE(cuda::synchronize_device().ok());
    return out;
  }
  T* data() const { return data_; }
  int64_t count() const { return static_cast<int64_t>(count_); }

 private:
  int64_t bytes() const { return static_cast<int64_t>(count_ * sizeof(T)); }
  size_t count_;
  T* data_ = nullptr;
};

}  // namespace seraph::cuda_test
