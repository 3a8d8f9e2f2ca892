// linear() with adapters against double precision, and its promise that a row's bits depend on that row only.
#include <algorithm>

#include "tests/kernels/cpu/support.h"

namespace seraph::cpu_test {
namespace {

using Epilogue = LinearArgs::Epilogue;

struct Case {
  int64_t k;
  std::vector<int64_t> parts;
  int32_t rank_max;
  DType compute;
  Epilogue epilogue;
};

const Case kCases[] = {
    {64, {48}, 8, DType::kF32, Epilogue::kStore},         {72, {64, 16, 16}, 16, DType::kBf16, Epilogue::kStore},
    {100, {56}, 32, DType::kF16, Epilogue::kAccumulate},  {96, {40, 40}, 64, DType::kBf16, Epilogue::kSiluMul},
    {257, {33}, 256, DType::kF32, Epilogue::kAccumulate}, {80, {24, 24}, 128, DType::kF32, Epilogue::kSiluMul},
};
constexpr int32_t kSlots = 4;  // the last stays empty

/// A weight with adapters of different ranks in its slots.
class LoraLinear {
 public:
  LoraLinear(const Case& c, Backend& backend) : test_(c), backend_(backend) {
    for (const int64_t rows : c.parts) n_ += rows;
    weight_values_ = random_values(static_cast<size_t>(n_ * c.k), 2, 0.1F, c.compute);
    const std::vector<char> bytes = stored(weight_values_, c.compute);
    const int64_t half = n_ / 2;
    const HostMatrix whole = {bytes.data(), c.compute, n_, c.k};
    const HostMatrix pair[] = {{bytes.data(), c.compute, half, c.k},
                               {bytes.data() + half * c.k * dtype_bytes(c.compute), c.compute, half, c.k}};
    const bool gate_up = c.epilogue == Epilogue::kSiluMul;
    weight_ = backend.pack(
        {.parts = gate_up ? std::span(pair) : std::span(&whole, 1), .compute = c.compute, .gate_up = gate_up});
    bank_ = backend.make_lora_bank(
        {.num_slots = kSlots, .rank_max = c.rank_max, .cols = c.k, .part_rows = c.parts, .compute = c.compute});
    for (int32_t slot = 0; slot + 1 < kSlots; ++slot) write(slot, slot);
  }

  int32_t rank(int32_t adapter) const { return std::max(1, test_.rank_max >> adapter); }
  float scale(int32_t adapter) const { return 0.5F + static_cast<float>(adapter); }
  /// Adapter 1 leaves the last of several parts alone.
  bool has(int32_t adapter, size_t part) const { return adapter != 1 || part == 0 || part + 1 < test_.parts.size(); }
  std::vector<float> a(int32_t adapter, size_t part) const {
    return random_values(static_cast<size_t>(rank(adapter) * test_.k), 50 + 10 * adapter + static_cast<uint32_t>(part),
                         0.2F, test_.compute);
  }
  std::vector<float> b(int32_t adapter, size_t part) const {
    return random_values(static_cast<size_t>(rank(adapter) * test_.parts[part]),
                         150 + 10 * adapter + static_cast<uint32_t>(part), 0.2F, test_.compute);
  }

  void write(int32_t slot, int32_t adapter) {
    std::vector<std::vector<char>> bytes;
    std::vector<LoraPart> parts;
    for (size_t p = 0; p < test_.parts.size(); ++p) {
      bytes.push_back(stored(a(adapter, p), test_.compute));
      bytes.push_back(stored(b(adapter, p), test_.compute));
    }
    for (size_t p = 0; p < test_.parts.size(); ++p) {
      LoraPart part = {.a = {bytes[2 * p].data(), test_.compute, rank(adapter), test_.k},
                       .b = {bytes[2 * p + 1].data(), test_.compute, test_.parts[p], rank(adapter)},
                       .scale = scale(adapter)};
      if (!has(adapter, p)) part.a.data = nullptr;
      parts.push_back(part);
    }
    backend_.write_lora(*bank_, slot, parts);
  }
  void empty(int32_t slot) { backend_.write_lora(*bank_, slot, {}); }

  Array run(const std::vector<float>& x, const std::vector<int32_t>& slots) {
    const auto rows = static_cast<int64_t>(slots.size());
    const ActivationTypes types = backend_.activation_types(test_.compute);
    Array in = Array::of(x, rows, test_.k, types.input, 3);
    const bool gate_up = test_.epilogue == Epilogue::kSiluMul;
    Array out(rows, gate_up ? n_ / 2 : n_, gate_up ? types.input : DType::kF32, 5);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < out.tensor().cols; ++c) out.set(r, c, 0.25F);
    }
    backend_.linear({.x = in.tensor(),
                     .weight = weight_.get(),
                     .epilogue = test_.epilogue,
                     .out = out.tensor(),
                     .lora = bank_.get(),
                     .lora_slots = slots});
    return out;
  }

  /// Row `row` of x through the weight and an adapter (-1: none).
  std::vector<double> expected(const std::vector<float>& x, size_t row, int32_t adapter) const {
    const float* in = x.data() + row * static_cast<size_t>(test_.k);
    const auto dot = [&](const std::vector<float>& m, int64_t index) {
      double sum = 0.0;
      for (int64_t i = 0; i < test_.k; ++i)
        sum += static_cast<double>(m[static_cast<size_t>(index * test_.k + i)]) * in[i];
      return sum;
    };
    std::vector<double> y;
    for (int64_t n = 0; n < n_; ++n) y.push_back(dot(weight_values_, n));
    size_t begin = 0;
    for (size_t p = 0; p < test_.parts.size() && adapter >= 0; ++p) {
      const std::vector<float> a_values = a(adapter, p);
      const std::vector<float> b_values = b(adapter, p);
      const auto part_rows = static_cast<size_t>(test_.parts[p]);
      for (int32_t r = 0; r < rank(adapter) && has(adapter, p); ++r) {
        const double inner = dot(a_values, r) * scale(adapter);
        for (size_t n = 0; n < part_rows; ++n) {
          y[begin + n] += inner * b_values[n * static_cast<size_t>(rank(adapter)) + static_cast<size_t>(r)];
        }
      }
      begin += part_rows;
    }
    if (test_.epilogue == Epilogue::kAccumulate) {
      for (double& value : y) value += 0.25;
    }
    if (test_.epilogue != Epilogue::kSiluMul) return y;
    std::vector<double> activated;
    for (size_t n = 0; n < y.size() / 2; ++n) {
      activated.push_back(y[n] / (1.0 + std::exp(-y[n])) * y[n + y.size() / 2]);
    }
    return activated;
  }

  std::vector<float> inputs(size_t rows) const {
    return random_values(rows * static_cast<size_t>(test_.k), 1, 1.0F, backend_.activation_types(test_.compute).input);
  }

 private:
  const Case test_;
  Backend& backend_;
  int64_t n_ = 0;
  std::vector<float> weight_values_;
  std::unique_ptr<Weight> weight_;
  std::unique_ptr<LoraBank> bank_;
};

const std::vector<int32_t> kRowSlots = {0, -1, 2, 2, 1, 3, 0, -1, 1};

TEST(Lora, rows_of_several_adapters_agree_with_double_precision) {
  for (const std::string& isa : isa_levels()) {
    const auto backend = make_backend(isa, 2);
    for (const Case& c : kCases) {
      LoraLinear linear(c, *backend);
      const std::vector<float> x = linear.inputs(kRowSlots.size());
      Array out = linear.run(x, kRowSlots);
      for (size_t row = 0; row < kRowSlots.size(); ++row) {
        const int32_t adapter = kRowSlots[row] == 3 ? -1 : kRowSlots[row];
        std::vector<double> actual;
        for (int64_t i = 0; i < out.tensor().cols; ++i) actual.push_back(out.get(static_cast<int64_t>(row), i));
        const double tolerance = out.tensor().dtype == DType::kF32 ? 1e-4 : 1e-2;
        expect_close(linear.expected(x, row, adapter), actual, tolerance, isa + " k " + std::to_string(c.k));
      }
    }
  }
}

TEST(Lora, a_row_has_the_same_bits_alone_and_in_company) {
  for (const std::string& isa : isa_levels()) {
    const auto backend = make_backend(isa, 2);
    for (const Case& c : kCases) {
      LoraLinear linear(c, *backend);
      const std::vector<float> x = linear.inputs(kRowSlots.size());
      const Array together = linear.run(x, kRowSlots);
      for (size_t row = 0; row < kRowSlots.size(); ++row) {
        const auto begin = x.begin() + static_cast<std::ptrdiff_t>(row) * c.k;
        const Array alone = linear.run({begin, begin + c.k}, {kRowSlots[row]});
        EXPECT_EQ(alone.row_bytes(0), together.row_bytes(static_cast<int64_t>(row))) << isa << " row " << row;
      }
    }
  }
}

TEST(Lora, a_slot_is_written_anew_and_emptied) {
  const auto backend = make_backend("");
  LoraLinear linear(kCases[1], *backend);
  const std::vector<float> x = linear.inputs(1);
  const std::vector<char> second = linear.run(x, {2}).row_bytes(0);
  const std::vector<char> none = linear.run(x, {-1}).row_bytes(0);
  EXPECT_NE(linear.run(x, {0}).row_bytes(0), second);
  linear.write(0, 2);
  EXPECT_EQ(linear.run(x, {0}).row_bytes(0), second);
  linear.empty(0);
  EXPECT_EQ(linear.run(x, {0}).row_bytes(0), none);
}

}  // namespace
}  // namespace seraph::cpu_test
