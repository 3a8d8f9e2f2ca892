// Shared by the conformance tests of the CUDA kernels: matrices on the device, filled and read through runtime.h, so
// that the same tests run on the simulator and on a GPU.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/runtime.h"
#include "kernels/cuda/types.h"

namespace seraph::cuda_test {

using namespace seraph::cuda;  // NOLINT: the words of kernels

inline const DType kDTypes[] = {DType::kF32, DType::kF16, DType::kBf16};

inline std::string name_of(DType dtype) {
  return dtype == DType::kF32 ? "f32" : dtype == DType::kF16 ? "f16" : dtype == DType::kBf16 ? "bf16" : "i32";
}

/// Half a unit in the last place of the dtype, relative: what rounding once may cost.
inline double rounding_of(DType dtype) {
  return dtype == DType::kF32 ? 0x1p-22 : dtype == DType::kF16 ? 0x1.1p-11 : 0x1.1p-8;
}

inline float rounded(float x, DType dtype) {
  if (dtype == DType::kF16) return to_float(from_float<half_t>(x));
  if (dtype == DType::kBf16) return to_float(from_float<bf16_t>(x));
  return x;
}

/// Values that the dtype holds exactly.
inline std::vector<float> random_values(int64_t count, uint32_t seed, float scale, DType dtype) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0F, scale);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = rounded(normal(engine), dtype);
  return values;
}

/// Device memory with its bytes; every call waits for its end.
class DeviceBytes {
 public:
  explicit DeviceBytes(int64_t bytes) : bytes_(bytes) { EXPECT_TRUE(allocate(&data_, bytes).ok()); }
  DeviceBytes(const void* host, int64_t bytes) : DeviceBytes(bytes) { write(host); }
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;
  ~DeviceBytes() { static_cast<void>(release(data_).ok()); }

  void write(const void* host) {
    EXPECT_TRUE(copy_async(data_, host, bytes_, CopyKind::kHostToDevice, nullptr).ok());
    EXPECT_TRUE(synchronize_device().ok());
  }
  std::vector<uint8_t> read() const {
    std::vector<uint8_t> host(static_cast<size_t>(bytes_));
    const Status copied = copy_async(host.data(), data_, bytes_, CopyKind::kDeviceToHost, nullptr);
    EXPECT_TRUE(copied.ok()) << describe(copied);
    const Status done = synchronize_device();
    EXPECT_TRUE(done.ok()) << describe(done);
    return host;
  }
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
  int64_t bytes_;
};

/// A matrix whose rows lie `padding` elements further apart than they are wide, `offset` elements into its memory.
class Matrix {
 public:
  Matrix(int64_t rows, int64_t cols, DType dtype, int64_t padding = 0, int64_t offset = 0)
      : memory_((offset + rows * (cols + padding)) * dtype_bytes(dtype)),
        tensor_{static_cast<char*>(memory_.data()) + offset * dtype_bytes(dtype), dtype, rows, cols, cols + padding},
        offset_(offset) {}
  Matrix(const std::vector<float>& values, int64_t rows, int64_t cols, DType dtype, int64_t padding = 0,
         int64_t offset = 0)
      : Matrix(rows, cols, dtype, padding, offset) {
    std::vector<uint8_t> host(static_cast<size_t>((offset + rows * tensor_.stride) * dtype_bytes(dtype)));
    for (int64_t i = 0; i < rows * cols; ++i) {
      const float value = values[static_cast<size_t>(i)];
      uint8_t* at = host.data() + (offset + i / cols * tensor_.stride + i % cols) * dtype_bytes(dtype);
      if (dtype == DType::kF32) {
        std::memcpy(at, &value, 4);
      } else {
        const uint16_t bits = dtype == DType::kF16 ? from_float<half_t>(value).bits : from_float<bf16_t>(value).bits;
        std::memcpy(at, &bits, 2);
      }
    }
    memory_.write(host.data());
  }

  const Tensor& tensor() const { return tensor_; }
  Tensor rows(int64_t begin, int64_t count) const {
    Tensor part = tensor_;
    part.data = static_cast<char*>(part.data) + begin * part.stride * dtype_bytes(part.dtype);
    part.rows = count;
    return part;
  }
  std::vector<double> values() const {
    const std::vector<uint8_t> host = memory_.read();
    std::vector<double> out;
    for (int64_t r = 0; r < tensor_.rows; ++r) {
      for (int64_t c = 0; c < tensor_.cols; ++c) {
        const uint8_t* at = host.data() + (offset_ + r * tensor_.stride + c) * dtype_bytes(tensor_.dtype);
        float wide = 0.0F;
        uint16_t bits = 0;
        std::memcpy(&wide, at, tensor_.dtype == DType::kF32 ? 4 : 0);
        std::memcpy(&bits, at, 2);
        out.push_back(tensor_.dtype == DType::kF32   ? wide
                      : tensor_.dtype == DType::kF16 ? to_float(half_t{bits})
                                                     : to_float(bf16_t{bits}));
      }
    }
    return out;
  }

 private:
  DeviceBytes memory_;
  Tensor tensor_;
  int64_t offset_;
};

/// Each element within `tolerance` of the expected one, relative to it or to `floor` where it is smaller.
inline void expect_close(const std::vector<double>& expected, const std::vector<double>& actual, double tolerance,
                         double floor, const std::string& what) {
  ASSERT_EQ(expected.size(), actual.size()) << what;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double limit = tolerance * std::max(std::fabs(expected[i]), floor);
    ASSERT_LE(std::fabs(expected[i] - actual[i]), limit) << what << ", element " << i << ": " << actual[i];
  }
}

}  // namespace seraph::cuda_test
