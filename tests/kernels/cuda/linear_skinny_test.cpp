// pack_linear and linear_skinny on the simulator against a double-precision product, and the promise that a row's bits
// do not depend on how many rows there are.
#include "kernels/cuda/linear_skinny.h"

#include "tests/kernels/cuda/device_tensor.h"

namespace seraph::cuda_test {
namespace {

using Epilogue = LinearArgs::Epilogue;

struct Case {
  int64_t rows;
  int64_t k;
  int64_t n;
  DType dtype;
  DType file;
  DType out;
  Epilogue epilogue;
  bool bias;
};

constexpr DType kF32 = DType::kF32;
constexpr DType kF16 = DType::kF16;
constexpr DType kBf16 = DType::kBf16;

const Case kCases[] = {
    {1, 64, 64, kBf16, kBf16, kBf16, Epilogue::kStore, false},
    {7, 72, 40, kF16, kF32, kF16, Epilogue::kStore, true},
    {13, 80, 96, kF16, kBf16, kF32, Epilogue::kAccumulate, true},
    {5, 96, 512, kBf16, kF16, kF32, Epilogue::kStore, true},
    {31, 80, 80, kBf16, kBf16, kBf16, Epilogue::kSiluMul, false},
    {64, 1216, 48, kBf16, kBf16, kBf16, Epilogue::kAccumulate, false},
    {33, 104, 112, kF16, kF32, kF16, Epilogue::kSiluMul, true},
    {2, 896, 176, kBf16, kBf16, kBf16, Epilogue::kStore, true},
    {9, 64, 33, kF16, kF16, kF32, Epilogue::kStore, true},
    {17, 2048, 32, kF16, kF16, kF16, Epilogue::kSiluMul, true},
    {3, 8, 1, kBf16, kBf16, kF32, Epilogue::kStore, true},
};

std::string describe(const Case& c) {
  return "rows " + std::to_string(c.rows) + " k " + std::to_string(c.k) + " n " + std::to_string(c.n);
}

class Problem {
 public:
  explicit Problem(const Case& c) : test_(c) {
    x_ = random_values(static_cast<size_t>(c.rows * c.k), 1, 1.0F, c.dtype);
    w_ = random_values(static_cast<size_t>(c.n * c.k), 2, 0.1F, c.file);
    bias_.assign(static_cast<size_t>(c.n), 0.0F);
    if (c.bias) bias_ = random_values(static_cast<size_t>(c.n), 3);
    before_ = random_values(static_cast<size_t>(c.rows * out_cols()), 4, 1.0F, c.out);
  }

  bool gated() const { return test_.epilogue == Epilogue::kSiluMul; }
  int64_t out_cols() const { return gated() ? test_.n / 2 : test_.n; }

  /// Rows [begin, begin + count).
  std::vector<float> run(int64_t begin, int64_t count, int32_t shared_bytes_max = 99 * 1024) const {
    cuda::LinearWeight weight = cuda::plan_linear_weight(test_.n, test_.k, test_.dtype);
    const DeviceArray<char> memory(static_cast<size_t>(cuda::linear_weight_bytes(weight)));
    weight.data = memory.data();
    EXPECT_TRUE(cuda::fill_async(weight.data, 0, cuda::linear_weight_bytes(weight), nullptr).ok());
    pack(weight);
    const DeviceTensor x({x_.begin() + begin * test_.k, x_.begin() + (begin + count) * test_.k}, count, test_.k,
                         test_.dtype, 8);
    const DeviceTensor out({before_.begin() + begin * out_cols(), before_.begin() + (begin + count) * out_cols()},
                           count, out_cols(), test_.out, 3);
    const DeviceArray<float> bias(bias_of_weight());
    const cuda::LinearWorkspace plan = cuda::linear_skinny_workspace(weight);
    const DeviceArray<char> workspace(static_cast<size_t>(plan.bytes + 1));
    EXPECT_TRUE(cuda::fill_async(workspace.data(), 0, plan.counters_bytes + 1, nullptr).ok());
    const cuda::LinearSkinnyLaunch args = {.x = x.tensor(),
                                           .weight = weight,
                                           .num_outputs = test_.n,
                                           .bias = test_.bias ? bias.data() : nullptr,
                                           .epilogue = test_.epilogue,
                                           .out = out.tensor(),
                                           .workspace = workspace.data(),
                                           .workspace_bytes = plan.bytes,
                                           .shared_bytes_max = shared_bytes_max};
    EXPECT_EQ(finish(cuda::linear_skinny(args, nullptr)), "") << describe(test_);
    const std::vector<float> first = out.values();
    if (test_.epilogue != Epilogue::kAccumulate) {
      EXPECT_EQ(finish(cuda::linear_skinny(args, nullptr)), "");  // the counters are zero again
      EXPECT_EQ(out.values(), first);
    }
    return first;
  }

  std::vector<double> expected() const {
    std::vector<double> out;
    for (int64_t r = 0; r < test_.rows; ++r) {
      for (int64_t c = 0; c < out_cols(); ++c) {
        if (gated()) {
          const double gate = product(r, c);
          out.push_back(gate / (1.0 + std::exp(-gate)) * product(r, out_cols() + c));
          continue;
        }
        out.push_back(product(r, c));
        if (test_.epilogue == Epilogue::kAccumulate) out.back() += before_[static_cast<size_t>(r * test_.n + c)];
      }
    }
    return out;
  }

 private:
  double product(int64_t row, int64_t output) const {
    double sum = bias_[static_cast<size_t>(output)];
    for (int64_t i = 0; i < test_.k; ++i) {
      sum += static_cast<double>(x_[static_cast<size_t>(row * test_.k + i)]) *
             rounded(w_[static_cast<size_t>(output * test_.k + i)], test_.dtype);
    }
    return sum;
  }

  void pack(const cuda::LinearWeight& weight) const {
    const DeviceArray<char> source(cpu_test::stored(w_, test_.file));
    cuda::PackLinearLaunch args = {
        .source = source.data(), .dtype = test_.file, .rows = test_.n, .weight = weight, .interleaved = gated()};
    if (!gated()) {
      EXPECT_EQ(finish(cuda::pack_linear(args, nullptr)), "");
      return;
    }
    args.rows = test_.n / 2;
    EXPECT_EQ(finish(cuda::pack_linear(args, nullptr)), "");
    args.source = source.data() + test_.n / 2 * test_.k * dtype_bytes(test_.file);
    args.first_row = 8;
    EXPECT_EQ(finish(cuda::pack_linear(args, nullptr)), "");
  }

  std::vector<float> bias_of_weight() const {
    if (!gated()) return bias_;
    std::vector<float> out(bias_.size());
    for (int64_t r = 0; r < test_.n / 2; ++r) {
      out[static_cast<size_t>(r / 8 * 16 + r % 8)] = bias_[static_cast<size_t>(r)];
      out[static_cast<size_t>(r / 8 * 16 + 8 + r % 8)] = bias_[static_cast<size_t>(test_.n / 2 + r)];
    }
    return out;
  }

  Case test_;
  std::vector<float> x_;
  std::vector<float> w_;
  std::vector<float> bias_;
  std::vector<float> before_;
};

TEST(LinearSkinny, agrees_with_a_double_precision_product) {
  for (const Case& c : kCases) {
    TestDevice device;
    const Problem problem(c);
    expect_close(problem.expected(), as_doubles(problem.run(0, c.rows)), std::max(dtype_tolerance(c.out), 2e-5),
                 describe(c));
  }
}

TEST(LinearSkinny, a_row_does_not_depend_on_how_many_there_are) {
  for (const Case& c : kCases) {
    const Problem problem(c);
    std::vector<float> together;
    {
      TestDevice device({.seed = 4});
      together = problem.run(0, c.rows);
      // A device with less shared memory takes the rows in two calls.
      EXPECT_EQ(problem.run(0, c.rows, 64 * 1024), together) << describe(c);
    }
    for (const int64_t count : {1, 3, 11, 30}) {
      if (count > c.rows) continue;
      TestDevice device({.seed = 5});
      const int64_t begin = (c.rows - count) / 2;
      const std::vector<float> some = problem.run(begin, count);
      EXPECT_TRUE(std::equal(some.begin(), some.end(), together.begin() + begin * problem.out_cols()))
          << describe(c) << " of which " << count;
    }
  }
}

#ifdef SERAPH_CUDA_SIM
TEST(LinearSkinny, streams_each_weight_once_and_multiplies_no_more_than_it_must) {
  for (const int64_t rows : {1, 8, 16, 32, 64}) {
    TestDevice device;
    const Case c = {rows, 512, 64, kBf16, kBf16, kBf16, Epilogue::kStore, false};
    Problem(c).run(0, rows);
    const sim::LaunchStats& stats = device.last_launch();
    EXPECT_EQ(stats.global_bytes_read, (512 * 64 + rows * 512) * 2) << rows;
    EXPECT_EQ(stats.global_bytes_written, rows * 64 * 2);
    EXPECT_EQ(stats.bank_conflicts, 0);
    EXPECT_EQ(stats.mma_multiply_adds, 512 * 64 * std::max<int64_t>(rows, 8));
  }
}
#endif

TEST(LinearSkinny, bad_shapes_are_refused) {
  TestDevice device;
  cuda::LinearSkinnyLaunch args;
  args.weight = cuda::plan_linear_weight(32, 64, kF16);
  args.num_outputs = 32;
  args.x = {nullptr, kF16, 65, 64, 64};
  args.out = {nullptr, kF16, 65, 32, 32};
  EXPECT_EQ(cuda::linear_skinny(args, nullptr).code, cuda::kErrorInvalidValue);
  args.x.rows = args.out.rows = 1;
  args.x.cols = 60;
  EXPECT_EQ(cuda::linear_skinny(args, nullptr).code, cuda::kErrorInvalidValue);
  args.x.cols = 64;
  args.out.cols = 31;
  EXPECT_EQ(cuda::linear_skinny(args, nullptr).code, cuda::kErrorInvalidValue);
  EXPECT_EQ(cuda::pack_linear({.rows = 33, .weight = args.weight}, nullptr).code, cuda::kErrorInvalidValue);
  EXPECT_EQ(cuda::pack_linear({.rows = 16, .weight = args.weight, .first_row = 16, .interleaved = true}, nullptr).code,
            cuda::kErrorInvalidValue);
}

}  // namespace
}  // namespace seraph::cuda_test
