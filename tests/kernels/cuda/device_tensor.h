// Shared by the tests of CUDA kernels: matrices in device memory, and running a launcher to its end.
#pragma once

#include <cmath>

#include "kernels/cuda/types.h"
#include "tests/kernels/cpu/support.h"
#include "tests/kernels/cuda/device.h"
#include "tests/kernels/cuda/device_array.h"

namespace seraph::cuda_test {

using cpu_test::expect_close;
using cpu_test::random_values;
using cpu_test::rounded;

/// "" or what went wrong, after everything queued has run.
inline std::string finish(const cuda::Status& launched) {
  return launched.ok() ? device_fault() : cuda::describe(launched);
}

/// A Tensor with its device memory, filled from floats. Columns behind a row's end (padding) are NaN.
class DeviceTensor {
 public:
  DeviceTensor(const std::vector<float>& values, int64_t rows, int64_t cols, DType dtype, int64_t padding = 0)
      : rows_(rows), cols_(cols), stride_(cols + padding), dtype_(dtype), memory_(stored(values)) {}

  Tensor tensor() const { return Tensor{memory_.data(), dtype_, rows_, cols_, stride_}; }
  Tensor rows(int64_t begin, int64_t count) const {
    return Tensor{memory_.data() + begin * stride_ * dtype_bytes(dtype_), dtype_, count, cols_, stride_};
  }
  /// All values, row by row, without the padding.
  std::vector<float> values() const {
    const std::vector<char> bytes = memory_.values();
    std::vector<float> out;
    for (int64_t r = 0; r < rows_; ++r) {
      for (int64_t c = 0; c < cols_; ++c) out.push_back(element(bytes.data(), r * stride_ + c));
    }
    return out;
  }

 private:
  std::vector<char> stored(const std::vector<float>& values) const {
    std::vector<float> padded(static_cast<size_t>(rows_ * stride_), std::nanf(""));
    for (int64_t r = 0; r < rows_; ++r) {
      for (int64_t c = 0; c < cols_; ++c) {
        padded[static_cast<size_t>(r * stride_ + c)] = values[static_cast<size_t>(r * cols_ + c)];
      }
    }
    return cpu_test::stored(padded, dtype_);
  }
  float element(const char* bytes, int64_t at) const {
    if (dtype_ == DType::kF32) {
      float value = 0.0F;
      std::memcpy(&value, bytes + at * 4, 4);
      return value;
    }
    uint16_t bits = 0;
    std::memcpy(&bits, bytes + at * 2, 2);
    return dtype_ == DType::kBf16 ? cuda::to_float(cuda::bf16_t{bits}) : cuda::to_float(cuda::half_t{bits});
  }

  int64_t rows_;
  int64_t cols_;
  int64_t stride_;
  DType dtype_;
  DeviceArray<char> memory_;
};

inline std::vector<double> as_doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

/// How far a value stored in this dtype may be off.
inline double dtype_tolerance(DType dtype) {
  if (dtype == DType::kF32) return 2e-6;
  return dtype == DType::kF16 ? 1.0 / 1024 : 1.0 / 128;
}

}  // namespace seraph::cuda_test
