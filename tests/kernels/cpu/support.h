// Shared by the tests of the CPU backend: every instruction set of the machine, random tensors, rounding to
// the 16-bit formats, comparison bit for bit.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/narrow.h"

namespace seraph::cpu_test {

inline std::unique_ptr<Backend> make_backend(const std::string& isa, int32_t threads = 1) {
  std::string error;
  return make_cpu_backend({.threads = threads, .pin_threads = false, .isa_max = isa}, error);
}

/// The instruction sets that this machine can run.
inline std::vector<std::string> isa_levels() {
  std::vector<std::string> levels;
  for (const char* isa : {"avx2", "avx512", "avx512bf16"}) {
    if (make_backend(isa) != nullptr) levels.emplace_back(isa);
  }
  return levels;
}

inline float rounded(float x, DType dtype) {
  if (dtype == DType::kBf16) return cpu::float_from_bf16(cpu::bf16_from_float(x));
  if (dtype == DType::kF16) return cpu::float_from_f16(cpu::f16_from_float(x));
  return x;
}

/// Values that the dtype holds exactly.
inline std::vector<float> random_values(size_t count, uint32_t seed, float scale = 1.0F, DType dtype = DType::kF32) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0F, scale);
  std::vector<float> values(count);
  for (float& v : values) v = rounded(normal(engine), dtype);
  return values;
}

inline std::vector<char> stored(const std::vector<float>& values, DType dtype) {
  std::vector<char> bytes(values.size() * static_cast<size_t>(dtype_bytes(dtype)));
  for (size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::kF32) {
      std::memcpy(bytes.data() + i * 4, &values[i], 4);
    } else {
      const uint16_t bits = dtype == DType::kBf16 ? cpu::bf16_from_float(values[i]) : cpu::f16_from_float(values[i]);
      std::memcpy(bytes.data() + i * 2, &bits, 2);
    }
  }
  return bytes;
}

/// A tensor with its memory. Rows may be wider than the columns, to catch mistaken strides.
class Array {
 public:
  Array(int64_t rows, int64_t cols, DType dtype = DType::kF32, int64_t padding = 0)
      : bytes_(static_cast<size_t>(rows * (cols + padding) * dtype_bytes(dtype)) + 64),
        tensor_{bytes_.data(), dtype, rows, cols, cols + padding} {}

  static Array of(const std::vector<float>& values, int64_t rows, int64_t cols, DType dtype = DType::kF32,
                  int64_t padding = 0) {
    Array array(rows, cols, dtype, padding);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) array.set(r, c, values[static_cast<size_t>(r * cols + c)]);
    }
    return array;
  }

  Tensor tensor() { return Tensor{bytes_.data(), tensor_.dtype, tensor_.rows, tensor_.cols, tensor_.stride}; }
  Tensor rows(int64_t begin, int64_t count) {
    Tensor t = tensor();
    t.data = bytes_.data() + begin * t.stride * dtype_bytes(t.dtype);
    t.rows = count;
    return t;
  }
  const float* f32() const { return reinterpret_cast<const float*>(bytes_.data()); }

  void set(int64_t row, int64_t col, float value) {
    const int64_t at = row * tensor_.stride + col;
    const std::vector<char> one = stored({value}, tensor_.dtype);
    std::memcpy(bytes_.data() + at * dtype_bytes(tensor_.dtype), one.data(), one.size());
  }
  float get(int64_t row, int64_t col) const {
    const int64_t at = row * tensor_.stride + col;
    if (tensor_.dtype == DType::kF32) return f32()[at];
    uint16_t bits = 0;
    std::memcpy(&bits, bytes_.data() + at * 2, 2);
    return tensor_.dtype == DType::kBf16 ? cpu::float_from_bf16(bits) : cpu::float_from_f16(bits);
  }
  std::vector<char> row_bytes(int64_t row) const {
    const int64_t bytes = dtype_bytes(tensor_.dtype);
    const char* begin = bytes_.data() + row * tensor_.stride * bytes;
    return {begin, begin + tensor_.cols * bytes};
  }

 private:
  std::vector<char> bytes_;
  Tensor tensor_;
};

/// The largest difference must stay below `tolerance` times the largest expected value (at least 1).
inline void expect_close(const std::vector<double>& expected, const std::vector<double>& actual, double tolerance,
                         const std::string& what) {
  ASSERT_EQ(expected.size(), actual.size()) << what;
  double largest = 1.0;
  for (const double e : expected) largest = std::max(largest, std::fabs(e));
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_LE(std::fabs(expected[i] - actual[i]), tolerance * largest) << what << ", element " << i;
  }
}

}  // namespace seraph::cpu_test
