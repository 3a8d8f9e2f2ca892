// linear() against a double-precision product, and its promise that a row's bits depend on that row only.
#include "tests/kernels/cpu/support.h"

namespace seraph::cpu_test {
namespace {

struct Case {
  int64_t rows;
  int64_t k;
  int64_t n;
  DType compute;
  DType file;
  LinearArgs::Epilogue epilogue;
  bool bias;
};

using Epilogue = LinearArgs::Epilogue;
constexpr DType kF32 = DType::kF32;
constexpr DType kF16 = DType::kF16;
constexpr DType kBf16 = DType::kBf16;

const Case kCases[] = {
    {1, 64, 64, kF32, kF32, Epilogue::kStore, false},
    {7, 72, 40, kF32, kF32, Epilogue::kStore, true},
    {13, 80, 96, kF32, kBf16, Epilogue::kAccumulate, true},
    {5, 96, 512, kF32, kF16, Epilogue::kStore, true},
    {300, 64, 80, kF32, kBf16, Epilogue::kStore, true},
    {33, 100, 56, kF32, kBf16, Epilogue::kSiluMul, false},
    {3, 63, 200, kF32, kBf16, Epilogue::kSiluMul, true},
    {19, 128, 152, kF32, kF32, Epilogue::kSiluMul, true},
    {1, 64, 512, kBf16, kBf16, Epilogue::kStore, false},
    {2, 896, 1152, kBf16, kBf16, Epilogue::kStore, true},
    {17, 72, 96, kBf16, kF32, Epilogue::kAccumulate, true},
    {31, 80, 80, kBf16, kBf16, Epilogue::kSiluMul, false},
    {64, 4864, 48, kBf16, kBf16, Epilogue::kStore, false},
    {9, 67, 33, kBf16, kF16, Epilogue::kStore, true},
    {4, 5000, 160, kBf16, kBf16, Epilogue::kAccumulate, false},
    {130, 96, 224, kBf16, kBf16, Epilogue::kSiluMul, true},
    {6, 64, 72, kF16, kF16, Epilogue::kStore, true},
    {21, 80, 64, kF16, kBf16, Epilogue::kAccumulate, false},
    {12, 96, 144, kF16, kF16, Epilogue::kSiluMul, true},
    {1, 1, 1, kF32, kF32, Epilogue::kStore, true},
    {1, 17, 16 * 9, kBf16, kBf16, Epilogue::kStore, true},
    {24, 256, 16 * 5, kBf16, kBf16, Epilogue::kStore, true},
};

std::string describe(const Case& c, const std::string& isa) {
  return isa + " rows " + std::to_string(c.rows) + " k " + std::to_string(c.k) + " n " + std::to_string(c.n);
}

/// Everything that a case needs, the inputs as the device holds them.
struct Problem {
  Problem(const Case& c, Backend& backend) : test(c) {
    types = backend.activation_types(c.compute);
    x = random_values(static_cast<size_t>(c.rows * c.k), 1, 1.0F, types.input);
    w = random_values(static_cast<size_t>(c.n * c.k), 2, 0.1F, c.file);
    if (c.bias) bias = random_values(static_cast<size_t>(c.n), 3);
    const std::vector<char> bytes = stored(w, c.file);
    const int64_t half = c.n / 2;
    const bool gate_up = c.epilogue == Epilogue::kSiluMul;
    const HostMatrix whole[] = {{bytes.data(), c.file, c.n, c.k}};
    const HostMatrix parts[] = {{bytes.data(), c.file, half, c.k},
                                {bytes.data() + half * c.k * dtype_bytes(c.file), c.file, c.n - half, c.k}};
    weight = backend.pack(
        {gate_up ? std::span<const HostMatrix>(parts) : std::span<const HostMatrix>(whole), c.compute, gate_up});
    for (float& v : w) v = c.compute == kF32 ? v : rounded(v, c.compute);
    out_cols = gate_up ? half : c.n;
    out_type = gate_up ? types.input : kF32;
    before = random_values(static_cast<size_t>(c.rows * out_cols), 4);
  }

  Array run(Backend& backend, int64_t first_row, int64_t num_rows) const {
    Array input = Array::of(x, test.rows, test.k, types.input, 6);
    Array out = Array::of(before, test.rows, out_cols, out_type, 10);
    backend.linear({.x = input.rows(first_row, num_rows),
                    .weight = weight.get(),
                    .bias = test.bias ? bias.data() : nullptr,
                    .epilogue = test.epilogue,
                    .out = out.rows(first_row, num_rows)});
    return out;
  }

  double product(int64_t row, int64_t output) const {
    double sum = test.bias ? bias[static_cast<size_t>(output)] : 0.0;
    for (int64_t k = 0; k < test.k; ++k) {
      sum +=
          static_cast<double>(x[static_cast<size_t>(row * test.k + k)]) * w[static_cast<size_t>(output * test.k + k)];
    }
    return sum;
  }
  double expected(int64_t row, int64_t col) const {
    if (test.epilogue == Epilogue::kSiluMul) {
      const double gate = product(row, col);
      return gate / (1.0 + std::exp(-gate)) * product(row, out_cols + col);
    }
    const double old = before[static_cast<size_t>(row * out_cols + col)];
    return product(row, col) + (test.epilogue == Epilogue::kAccumulate ? old : 0.0);
  }

  Case test;
  ActivationTypes types;
  std::vector<float> x;
  std::vector<float> w;
  std::vector<float> bias;
  std::vector<float> before;
  std::unique_ptr<Weight> weight;
  int64_t out_cols = 0;
  DType out_type = kF32;
};

TEST(Linear, agrees_with_a_double_precision_product) {
  for (const std::string& isa : isa_levels()) {
    const auto backend = make_backend(isa);
    for (const Case& c : kCases) {
      const Problem problem(c, *backend);
      const Array out = problem.run(*backend, 0, c.rows);
      std::vector<double> expected;
      std::vector<double> actual;
      for (int64_t r = 0; r < c.rows; ++r) {
        for (int64_t col = 0; col < problem.out_cols; ++col) {
          expected.push_back(problem.expected(r, col));
          actual.push_back(out.get(r, col));
        }
      }
      expect_close(expected, actual, problem.out_type == kBf16 ? 5e-3 : 1e-5, describe(c, isa));
    }
  }
}

TEST(Linear, a_row_alone_has_the_bits_it_has_in_any_batch_with_any_number_of_threads) {
  for (const std::string& isa : isa_levels()) {
    const auto one = make_backend(isa, 1);
    const auto two = make_backend(isa, 2);
    for (const Case& c : kCases) {
      const Problem problem(c, *one);
      const Array whole = problem.run(*one, 0, c.rows);
      const Array threaded = problem.run(*two, 0, c.rows);
      for (int64_t r = 0; r < c.rows; ++r) ASSERT_EQ(whole.row_bytes(r), threaded.row_bytes(r)) << describe(c, isa);
      for (int64_t first = 0, count = 1; first < c.rows; first += count, count = count * 2 + 1) {
        const int64_t num_rows = std::min(count, c.rows - first);
        const Array part = problem.run(*two, first, num_rows);
        for (int64_t r = first; r < first + num_rows; ++r) {
          ASSERT_EQ(whole.row_bytes(r), part.row_bytes(r)) << describe(c, isa) << " row " << r;
        }
      }
    }
  }
}

TEST(Linear, columns_beyond_the_outputs_are_left_alone) {
  for (const std::string& isa : isa_levels()) {
    const auto backend = make_backend(isa);
    const Case c = {5, 64, 37, kF32, kF32, Epilogue::kStore, true};
    const Problem problem(c, *backend);
    Array out(5, 64);
    for (int64_t r = 0; r < 5; ++r) {
      for (int64_t col = 0; col < 64; ++col) out.set(r, col, 7.0F);
    }
    Array x = Array::of(problem.x, 5, 64);
    Tensor narrow = out.tensor();
    narrow.cols = 37;
    backend->linear({.x = x.tensor(), .weight = problem.weight.get(), .bias = problem.bias.data(), .out = narrow});
    for (int64_t r = 0; r < 5; ++r) {
      for (int64_t col = 37; col < 64; ++col) ASSERT_EQ(out.get(r, col), 7.0F);
    }
  }
}

TEST(Linear, large_outputs_that_bypass_the_caches_have_the_same_bits) {
  for (const std::string& isa : isa_levels()) {
    const auto backend = make_backend(isa, 2);
    const int64_t rows = 45;
    const int64_t n = 16 * 3000 - 3;
    const int64_t stride = 16 * 3000;
    const Case c = {rows, 10, n, kF32, kBf16, Epilogue::kStore, true};
    const Problem problem(c, *backend);
    Array x = Array::of(problem.x, rows, c.k);
    const Buffer memory = backend->allocate(rows * stride * 4);
    const Tensor large = {memory.data(), kF32, rows, n, stride};
    ASSERT_GE(rows * n * 4, int64_t{8} << 20);
    backend->linear({.x = x.tensor(), .weight = problem.weight.get(), .bias = problem.bias.data(), .out = large});
    for (int64_t r = 0; r < rows; ++r) {
      Array one(1, n);
      backend->linear(
          {.x = x.rows(r, 1), .weight = problem.weight.get(), .bias = problem.bias.data(), .out = one.tensor()});
      const float* row = static_cast<const float*>(memory.data()) + r * stride;
      ASSERT_EQ(std::memcmp(one.f32(), row, static_cast<size_t>(n) * 4), 0) << isa << " row " << r;
      ASSERT_EQ(row[n], 0.0F);
    }
  }
}

TEST(Embed, reads_rows_out_of_the_packed_table_exactly) {
  for (const std::string& isa : isa_levels()) {
    const auto backend = make_backend(isa, 2);
    for (const DType compute : {kF32, kBf16, kF16}) {
      for (const DType file : {kF32, kBf16, kF16}) {
        for (const int64_t hidden : {64, 72, 77, 96}) {
          const int64_t vocab = 101;
          std::vector<float> values = random_values(static_cast<size_t>(vocab * hidden), 5, 1.0F, file);
          const std::vector<char> bytes = stored(values, file);
          const HostMatrix part[] = {{bytes.data(), file, vocab, hidden}};
          const auto table = backend->pack({part, compute, false});
          const std::vector<int32_t> ids = {0, 100, 16, 15, 37, 37, 99, 1};
          Array out(8, hidden, kF32, 3);
          backend->embed({ids, table.get(), out.tensor()});
          for (int64_t r = 0; r < 8; ++r) {
            for (int64_t c = 0; c < hidden; ++c) {
              const float value = values[static_cast<size_t>(ids[static_cast<size_t>(r)] * hidden + c)];
              ASSERT_EQ(out.get(r, c), compute == kF32 ? value : rounded(value, compute)) << isa;
            }
          }
        }
      }
    }
  }
}

TEST(PackRandom, is_the_same_for_the_same_seed_and_stays_within_the_scale) {
  const auto backend = make_backend("avx2");
  std::vector<Array> tables;
  for (const uint64_t seed : {1U, 1U, 2U}) {
    const auto table = backend->pack_random(100, 64, kBf16, 0.5F, seed);
    std::vector<int32_t> ids(100);
    for (int32_t i = 0; i < 100; ++i) ids[static_cast<size_t>(i)] = i;
    tables.emplace_back(100, 64);
    backend->embed({ids, table.get(), tables.back().tensor()});
  }
  double sum = 0.0;
  int64_t differing = 0;
  for (int64_t r = 0; r < 100; ++r) {
    ASSERT_EQ(tables[0].row_bytes(r), tables[1].row_bytes(r));
    for (int64_t c = 0; c < 64; ++c) {
      ASSERT_LE(std::fabs(tables[0].get(r, c)), 0.5F);
      sum += tables[0].get(r, c);
      differing += tables[0].get(r, c) != tables[2].get(r, c) ? 1 : 0;
    }
  }
  EXPECT_LT(std::fabs(sum / 6400), 0.02);
  EXPECT_GT(differing, 6000);
}

}  // namespace
}  // namespace seraph::cpu_test
