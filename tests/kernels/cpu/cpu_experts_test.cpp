// A mixture of experts against double precision, and its promise that a row's bits depend on that row only.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/experts.h"
#include "tests/kernels/cpu/support.h"

namespace seraph::cpu_test {
namespace {

constexpr int64_t kHidden = 72;
constexpr int64_t kInner = 40;
constexpr int64_t kExperts = 5;
constexpr int32_t kTopK = 2;

struct Mixture {
  Mixture(Backend& backend, DType compute) {
    for (int64_t e = 0; e < kExperts; ++e) {
      const auto seed = static_cast<uint32_t>(10 * e);
      gate.push_back(random_values(kInner * kHidden, seed + 1, 0.1F, compute));
      up.push_back(random_values(kInner * kHidden, seed + 2, 0.1F, compute));
      down.push_back(random_values(kHidden * kInner, seed + 3, 0.1F, compute));
      const std::vector<char> bytes[] = {stored(gate.back(), compute), stored(up.back(), compute),
                                         stored(down.back(), compute)};
      const HostMatrix pair[] = {{bytes[0].data(), compute, kInner, kHidden},
                                 {bytes[1].data(), compute, kInner, kHidden}};
      const HostMatrix single = {bytes[2].data(), compute, kHidden, kInner};
      weights.push_back(backend.pack({.parts = pair, .compute = compute, .gate_up = true}));
      weights.push_back(backend.pack({.parts = std::span(&single, 1), .compute = compute}));
      experts.push_back({.gate_up = weights[weights.size() - 2].get(), .down = weights.back().get()});
    }
  }

  /// What expert `e` makes of x, in double precision.
  std::vector<double> apply(size_t e, const float* x) const {
    std::vector<double> inner(kInner), out(kHidden);
    for (int64_t i = 0; i < kInner; ++i) {
      double g = 0, u = 0;
      for (int64_t k = 0; k < kHidden; ++k) {
        g += double{gate[e][static_cast<size_t>(i * kHidden + k)]} * x[k];
        u += double{up[e][static_cast<size_t>(i * kHidden + k)]} * x[k];
      }
      inner[static_cast<size_t>(i)] = g / (1 + std::exp(-g)) * u;
    }
    for (int64_t n = 0; n < kHidden; ++n) {
      for (int64_t i = 0; i < kInner; ++i) {
        out[static_cast<size_t>(n)] += down[e][static_cast<size_t>(n * kInner + i)] * inner[static_cast<size_t>(i)];
      }
    }
    return out;
  }

  std::vector<std::vector<float>> gate, up, down;
  std::vector<std::unique_ptr<Weight>> weights;
  std::vector<Expert> experts;
};

/// out += the mixture of the rows begin .. begin + count.
std::vector<float> run(Backend& backend, const Mixture& mixture, const std::vector<float>& x,
                       const std::vector<float>& scores, int64_t begin, int64_t count) {
  const DType input = backend.activation_types(DType::kF32).input;
  Array x_array = Array::of(x, static_cast<int64_t>(x.size()) / kHidden, kHidden, input, 8);
  Array score_array = Array::of(scores, static_cast<int64_t>(scores.size()) / kExperts, kExperts, DType::kF32, 3);
  Array out = Array::of(std::vector<float>(static_cast<size_t>(count * kHidden), 1.0F), count, kHidden);
  dynamic_cast<ExpertsBackend&>(backend).experts({.x = x_array.rows(begin, count),
                                                  .scores = score_array.rows(begin, count),
                                                  .experts = mixture.experts,
                                                  .top_k = kTopK,
                                                  .normalise = true,
                                                  .out = out.tensor()});
  const auto* data = static_cast<const float*>(out.tensor().data);
  return {data, data + count * kHidden};
}

TEST(CpuExperts, RowsAreTheWeightedSumOfTheirExperts) {
  constexpr int64_t kRows = 9;
  for (const std::string& isa : isa_levels()) {
    const auto backend = make_backend(isa, 2);
    const Mixture mixture(*backend, DType::kF32);
    const std::vector<float> x = random_values(kRows * kHidden, 91);
    const std::vector<float> scores = random_values(kRows * kExperts, 92);
    const std::vector<float> got = run(*backend, mixture, x, scores, 0, kRows);
    for (int64_t row = 0; row < kRows; ++row) {
      const float* own = scores.data() + row * kExperts;
      std::vector<size_t> order(kExperts);
      std::iota(order.begin(), order.end(), 0U);
      std::sort(order.begin(), order.end(), [own](size_t a, size_t b) { return own[a] > own[b]; });
      const double first = 1 / (1 + std::exp(double{own[order[1]]} - own[order[0]]));
      const std::vector<double> best = mixture.apply(order[0], x.data() + row * kHidden);
      const std::vector<double> second = mixture.apply(order[1], x.data() + row * kHidden);
      for (size_t n = 0; n < kHidden; ++n) {
        EXPECT_NEAR(got[static_cast<size_t>(row) * kHidden + n], 1 + first * best[n] + (1 - first) * second[n], 1e-4)
            << isa << " row " << row;
      }
    }
  }
}

TEST(CpuExperts, ARowsBitsDoNotDependOnTheOthers) {
  constexpr int64_t kRows = 33;
  for (const std::string& isa : isa_levels()) {
    const auto backend = make_backend(isa, 2);
    const Mixture mixture(*backend, DType::kF32);
    const std::vector<float> x = random_values(kRows * kHidden, 7);
    const std::vector<float> scores = random_values(kRows * kExperts, 8);
    const std::vector<float> whole = run(*backend, mixture, x, scores, 0, kRows);
    for (int64_t row = 0; row < kRows; ++row) {
      const std::vector<float> alone = run(*backend, mixture, x, scores, row, 1);
      EXPECT_EQ(std::memcmp(alone.data(), whole.data() + row * kHidden, kHidden * sizeof(float)), 0)
          << isa << " row " << row;
    }
  }
}

}  // namespace
}  // namespace seraph::cpu_test
