// Operations on any Backend with operands given and taken as floats: what one device computes can so be held against
// what another does.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tests/kernels/cpu/support.h"

namespace seraph::backend_test {

/// A matrix in the memory of a backend. Rows are padded to whole groups of 8 columns with zeros.
class DeviceMatrix {
 public:
  DeviceMatrix(Backend& backend, int64_t rows, int64_t cols, DType dtype)
      : backend_(backend), memory_(backend.allocate(rows * padded(cols) * dtype_bytes(dtype))) {
    tensor_ = {memory_.data(), dtype, rows, cols, padded(cols)};
  }
  DeviceMatrix(Backend& backend, const std::vector<float>& values, int64_t rows, int64_t cols, DType dtype)
      : DeviceMatrix(backend, rows, cols, dtype) {
    for (int64_t r = 0; r < rows; ++r) {
      const std::vector<char> row =
          cpu_test::stored({values.begin() + r * cols, values.begin() + (r + 1) * cols}, dtype);
      backend.upload(static_cast<char*>(tensor_.data) + r * tensor_.stride * dtype_bytes(dtype), row.data(),
                     static_cast<int64_t>(row.size()));
    }
  }

  const Tensor& tensor() const { return tensor_; }
  std::vector<float> values() const {
    std::vector<char> bytes(static_cast<size_t>(memory_.bytes()));
    backend_.download(bytes.data(), memory_.data(), memory_.bytes());
    std::vector<float> out;
    for (int64_t r = 0; r < tensor_.rows; ++r) {
      for (int64_t c = 0; c < tensor_.cols; ++c) out.push_back(value_at(bytes, r * tensor_.stride + c));
    }
    return out;
  }

 private:
  static int64_t padded(int64_t cols) { return (cols + 7) / 8 * 8; }
  float value_at(const std::vector<char>& bytes, int64_t index) const {
    if (tensor_.dtype == DType::kF32) {
      float value = 0.0F;
      std::memcpy(&value, bytes.data() + index * 4, 4);
      return value;
    }
    uint16_t bits = 0;
    std::memcpy(&bits, bytes.data() + index * 2, 2);
    return tensor_.dtype == DType::kBf16 ? cpu::float_from_bf16(bits) : cpu::float_from_f16(bits);
  }

  Backend& backend_;
  Buffer memory_;
  Tensor tensor_;
};

inline std::unique_ptr<Weight> pack_floats(Backend& backend, const std::vector<float>& values, int64_t rows,
                                           int64_t cols, DType compute, bool gate_up = false) {
  if (!gate_up) {
    const HostMatrix whole = {values.data(), DType::kF32, rows, cols};
    return backend.pack({.parts = {&whole, 1}, .compute = compute});
  }
  const HostMatrix parts[] = {{values.data(), DType::kF32, rows / 2, cols},
                              {values.data() + rows / 2 * cols, DType::kF32, rows / 2, cols}};
  return backend.pack({.parts = parts, .compute = compute, .gate_up = true});
}

/// Largest difference over the largest expected magnitude (at least 1).
inline double error_of(const std::vector<float>& expected, const std::vector<float>& actual) {
  if (expected.size() != actual.size()) return INFINITY;
  double largest = 1.0;
  double worst = 0.0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    const double off = std::abs(static_cast<double>(expected[i]) - static_cast<double>(actual[i]));
    worst = off <= worst ? worst : off;
    if (std::isnan(off)) return INFINITY;
  }
  return worst / largest;
}

}  // namespace seraph::backend_test
