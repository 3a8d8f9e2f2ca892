// The operations on rows, written once more as slow obvious loops in double precision, and the cases that every
// device is held to. Shared by the tests of the CPU backend and of the CUDA kernels.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace seraph::kernel_test {

/// Group sizes: one element, smaller than a vector, head sizes, no multiple of 8, a hidden size, larger than a block
/// of threads covers in one round.
constexpr int64_t kRmsNormGroups[] = {1, 3, 8, 64, 72, 80, 96, 100, 128, 256, 896, 2049};

/// x [rows, cols]; every `group` columns are normed on their own.
inline std::vector<double> rms_norm_reference(const std::vector<float>& x, int64_t cols,
                                              const std::vector<float>& weight, double eps) {
  const auto group = static_cast<int64_t>(weight.size());
  std::vector<double> out(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const auto column = static_cast<int64_t>(i) % cols;
    const float* first = x.data() + (static_cast<int64_t>(i) - column % group);
    double squares = 0.0;
    for (int64_t k = 0; k < group; ++k) squares += static_cast<double>(first[k]) * first[k];
    out[i] = x[i] / std::sqrt(squares / static_cast<double>(group) + eps) * weight[static_cast<size_t>(column % group)];
  }
  return out;
}

inline std::vector<double> silu_mul_reference(const std::vector<float>& gate, const std::vector<float>& up) {
  std::vector<double> out(gate.size());
  for (size_t i = 0; i < gate.size(); ++i) {
    out[i] = static_cast<double>(gate[i]) / (1.0 + std::exp(-static_cast<double>(gate[i]))) * up[i];
  }
  return out;
}

}  // namespace seraph::kernel_test
