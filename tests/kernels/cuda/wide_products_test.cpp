// Products of more rows than the skinny kernel takes: at ragged shapes against sums in double precision, next to what
// the skinny kernel gives, in recordings, and on a machine without the library.
#include "kernels/cuda/wide_products.h"

#include "kernels/cuda/cuda_backend.h"
#include "tests/kernels/backend_runner.h"
#include "tests/kernels/cuda/device.h"

namespace seraph {
namespace {

using backend_test::DeviceMatrix;
using backend_test::error_of;
using backend_test::pack_floats;
using cpu_test::random_values;
using cuda_test::TestDevice;
using Epilogue = LinearArgs::Epilogue;

constexpr double kTolerance[] = {0.0, 1.0 / 512, 1.0 / 64};  // by DType: of sums of rounded products

std::unique_ptr<Backend> make_cuda() {
  std::string error;
  std::unique_ptr<Backend> backend = cuda_access()->make_backend({}, error);
  EXPECT_NE(backend, nullptr) << error;
  return backend;
}

struct Case {
  int64_t rows;
  int64_t inputs;
  int64_t outputs;
  Epilogue epilogue;
  bool bias;
  DType out;

  bool gated() const { return epilogue == Epilogue::kSiluMul; }
  int64_t width() const { return gated() ? outputs / 2 : outputs; }
  std::string name() const {
    return std::to_string(rows) + " x " + std::to_string(inputs) + " x " + std::to_string(outputs) + " epilogue " +
           std::to_string(static_cast<int>(epilogue)) + (bias ? " with bias" : "");
  }
};

std::vector<Case> cases(DType dtype) {
  return {{65, 64, 48, Epilogue::kStore, true, dtype},
          {70, 100, 52, Epilogue::kStore, false, dtype},
          {97, 72, 33, Epilogue::kStore, true, DType::kF32},
          {128, 40, 17, Epilogue::kAccumulate, false, DType::kF32},
          {66, 136, 40, Epilogue::kAccumulate, true, DType::kF32},
          {100, 96, 44, Epilogue::kSiluMul, false, dtype},
          {129, 64, 200, Epilogue::kSiluMul, true, dtype}};
}

/// The operands of one product.
struct Operands {
  std::vector<float> x, w, b, before;
  Operands(const Case& c, DType dtype)
      : x(random_values(static_cast<size_t>(c.rows * c.inputs), 4, 1.0F, dtype)),
        w(random_values(static_cast<size_t>(c.outputs * c.inputs), 5, 0.1F, dtype)),
        b(random_values(static_cast<size_t>(c.outputs), 6, 1.0F, dtype)),
        before(random_values(static_cast<size_t>(c.rows * c.width()), 7, 1.0F, dtype)) {}

  double sum(const Case& c, int64_t row, int64_t output) const {
    double sum = c.bias ? b[static_cast<size_t>(output)] : 0.0;
    for (int64_t k = 0; k < c.inputs; ++k) {
      sum += static_cast<double>(x[static_cast<size_t>(row * c.inputs + k)]) *
             w[static_cast<size_t>(output * c.inputs + k)];
    }
    return sum;
  }
  std::vector<float> expected(const Case& c) const {
    std::vector<float> out;
    for (int64_t i = 0; i < c.rows * c.width(); ++i) {
      const int64_t row = i / c.width();
      const int64_t column = i % c.width();
      double value = sum(c, row, column);
      if (c.epilogue == Epilogue::kAccumulate) value += before[static_cast<size_t>(i)];
      if (c.gated()) value = value / (1.0 + std::exp(-value)) * sum(c, row, column + c.width());
      out.push_back(static_cast<float>(value));
    }
    return out;
  }
};

/// The product as a backend gives it, planned for steps of `rows_max` rows.
std::vector<float> multiply(Backend& backend, const Case& c, DType dtype, int64_t rows_max) {
  const Operands operands(c, dtype);
  const auto weight = pack_floats(backend, operands.w, c.outputs, c.inputs, dtype, c.gated());
  const Buffer bias = backend.pack_bias(operands.b, c.gated());
  EXPECT_TRUE(backend.plan_scratch({.rows_max = rows_max, .cols_max = 256, .logit_rows_max = 4}));
  const DeviceMatrix in(backend, operands.x, c.rows, c.inputs, dtype);
  const DeviceMatrix out(backend, operands.before, c.rows, c.width(), c.out);
  backend.linear({.x = in.tensor(),
                  .weight = weight.get(),
                  .bias = c.bias ? static_cast<const float*>(bias.data()) : nullptr,
                  .epilogue = c.epilogue,
                  .out = out.tensor()});
  std::vector<float> values = out.values();
  const DeviceStatus status = backend.synchronize();
  EXPECT_TRUE(status.ok) << status.message;
  return values;
}

class WideProductsTest : public testing::TestWithParam<DType> {};

TEST_P(WideProductsTest, AgreesWithDoublePrecisionAtRaggedShapes) {
  for (const Case& c : cases(GetParam())) {
    TestDevice device;
    {
      const auto backend = make_cuda();
      const double tolerance = kTolerance[static_cast<int>(GetParam())];
      const std::vector<float> expected = Operands(c, GetParam()).expected(c);
      EXPECT_LE(error_of(expected, multiply(*backend, c, GetParam(), c.rows)), tolerance) << c.name();
#ifdef SERAPH_CUDA_SIM
      EXPECT_EQ(device.totals().count("linear_skinny"), 0U) << c.name();
#endif
    }
    EXPECT_EQ(device.fault(), "") << c.name();
    EXPECT_EQ(device.num_living(), 0) << c.name();
  }
}

TEST_P(WideProductsTest, IsRecordedAndReplayedLikeKernels) {
  TestDevice device;
  const auto backend = make_cuda();
  const Case c = {80, 64, 48, Epilogue::kStore, false, GetParam()};
  const Operands operands(c, GetParam());
  const auto weight = pack_floats(*backend, operands.w, c.outputs, c.inputs, GetParam());
  ASSERT_TRUE(backend->plan_scratch({.rows_max = c.rows, .cols_max = 64, .logit_rows_max = 4}));
  const DeviceMatrix in(*backend, operands.x, c.rows, c.inputs, GetParam());
  const DeviceMatrix out(*backend, c.rows, c.outputs, GetParam());
  const LinearArgs args = {.x = in.tensor(), .weight = weight.get(), .out = out.tensor()};
  backend->begin_recording();
  backend->linear(args);
  const auto graph = backend->end_recording();
  ASSERT_NE(graph, nullptr);
  EXPECT_EQ(error_of(std::vector<float>(operands.before.size(), 0.0F), out.values()), 0.0);
  backend->replay(*graph);
  EXPECT_LE(error_of(operands.expected(c), out.values()), kTolerance[static_cast<int>(GetParam())]);
  EXPECT_EQ(device.fault(), "");
}

#ifdef SERAPH_CUDA_SIM
TEST_P(WideProductsTest, GivesWayToTheSkinnyKernelWhereTheLibraryIsAbsentAndSaysSo) {
  for (const Case& c : cases(GetParam())) {
    sim::Device device({.has_blas = false});
    const auto backend = make_cuda();
    const double tolerance = kTolerance[static_cast<int>(GetParam())];
    EXPECT_LE(error_of(Operands(c, GetParam()).expected(c), multiply(*backend, c, GetParam(), c.rows)), tolerance);
    EXPECT_EQ(device.totals().count("linear_skinny"), 1U) << c.name();
    EXPECT_NE(backend->notice().find("cuBLASLt is not used"), std::string::npos) << backend->notice();
  }
}

/// The library is large: small steps do without it.
TEST_P(WideProductsTest, IsNotOpenedWhereNoStepHasThatManyRows) {
  sim::Device device({.has_blas = false});
  const auto backend = make_cuda();
  const Case c = {64, 64, 48, Epilogue::kStore, true, GetParam()};
  multiply(*backend, c, GetParam(), 64);
  EXPECT_EQ(backend->notice(), "");
  EXPECT_EQ(device.totals().count("linear_skinny"), 1U);
}

TEST_P(WideProductsTest, ARefusedProductIsTheSkinnyKernels) {
  sim::Device device;
  const auto backend = make_cuda();
  const Case c = {80, 64, 48, Epilogue::kStore, false, GetParam()};
  const Operands operands(c, GetParam());
  const auto weight = pack_floats(*backend, operands.w, c.outputs, c.inputs, GetParam());
  ASSERT_TRUE(backend->plan_scratch({.rows_max = c.rows, .cols_max = 64, .logit_rows_max = 4}));
  const DeviceMatrix in(*backend, operands.x, c.rows, c.inputs, GetParam());
  const DeviceMatrix out(*backend, c.rows + 1, c.outputs, GetParam());
  // 8 bytes into a row: the library's algorithms want 16.
  const Tensor shifted = {static_cast<char*>(out.tensor().data) + 8, GetParam(), c.rows, c.outputs,
                          out.tensor().stride};
  backend->linear({.x = in.tensor(), .weight = weight.get(), .out = shifted});
  const DeviceStatus status = backend->synchronize();
  EXPECT_TRUE(status.ok) << status.message;
  EXPECT_EQ(device.totals().count("linear_skinny"), 1U);
}
#endif

INSTANTIATE_TEST_SUITE_P(DTypes, WideProductsTest, testing::Values(DType::kF16, DType::kBf16));

}  // namespace
}  // namespace seraph
