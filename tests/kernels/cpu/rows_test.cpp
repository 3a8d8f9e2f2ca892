// rms_norm() and gather_rows(), the small exact helpers, and what the machine is asked.
#include "kernels/cpu/isa.h"
#include "tests/kernels/cpu/support.h"
#include "tests/kernels/rows_reference.h"

namespace seraph::cpu_test {
namespace {

TEST(RmsNorm, agrees_with_double_precision_for_every_group_size) {
  for (const std::string& isa : isa_levels()) {
    const auto backend = make_backend(isa, 2);
    for (const int64_t group : kernel_test::kRmsNormGroups) {
      for (const DType type : {DType::kF32, DType::kBf16}) {
        const int64_t rows = 9;
        const int64_t cols = group * 3;
        const std::vector<float> values = random_values(static_cast<size_t>(rows * cols), 41, 3.0F);
        const std::vector<float> weight = random_values(static_cast<size_t>(group), 42);
        Array x = Array::of(values, rows, cols, DType::kF32, 7);
        Array out(rows, cols, type, 3);
        backend->rms_norm({x.tensor(), weight.data(), group, 1e-5F, out.tensor()});
        const std::vector<double> expected = kernel_test::rms_norm_reference(values, cols, weight, 1e-5);
        std::vector<double> actual;
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t c = 0; c < cols; ++c) actual.push_back(out.get(r, c));
        }
        expect_close(expected, actual, type == DType::kF32 ? 1e-6 : 4e-3, isa + " group " + std::to_string(group));
        Array alone(1, cols, type);
        backend->rms_norm({x.rows(5, 1), weight.data(), group, 1e-5F, alone.tensor()});
        ASSERT_EQ(alone.row_bytes(0), out.row_bytes(5));
      }
    }
  }
}

TEST(RmsNorm, may_write_over_its_input) {
  const auto backend = make_backend("");
  const std::vector<float> weight(96, 2.0F);
  Array x = Array::of(random_values(96 * 4, 43), 4, 96);
  Array out(4, 96);
  backend->rms_norm({x.tensor(), weight.data(), 96, 1e-6F, out.tensor()});
  backend->rms_norm({x.tensor(), weight.data(), 96, 1e-6F, x.tensor()});
  for (int64_t r = 0; r < 4; ++r) EXPECT_EQ(x.row_bytes(r), out.row_bytes(r));
}

TEST(GatherRows, copies_the_rows_in_the_order_asked) {
  const auto backend = make_backend("");
  for (const DType type : {DType::kF32, DType::kBf16}) {
    Array x = Array::of(random_values(72 * 6, 44, 1.0F, type), 6, 72, type, 5);
    Array out(3, 72, type);
    const int32_t rows[] = {5, 0, 5};
    backend->gather_rows(x.tensor(), rows, out.tensor());
    EXPECT_EQ(out.row_bytes(0), x.row_bytes(5));
    EXPECT_EQ(out.row_bytes(1), x.row_bytes(0));
    EXPECT_EQ(out.row_bytes(2), x.row_bytes(5));
  }
}

TEST(Narrow, sixteen_bit_formats_survive_a_round_trip) {
  for (uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float from_f16 = cpu::float_from_f16(half);
    if (!std::isnan(from_f16)) {
      ASSERT_EQ(cpu::f16_from_float(from_f16), half);
    }
    const float from_bf16 = cpu::float_from_bf16(half);
    if (!std::isnan(from_bf16)) {
      ASSERT_EQ(cpu::bf16_from_float(from_bf16), half);
    }
    ASSERT_EQ(std::isnan(from_f16), (bits & 0x7FFFU) > 0x7C00U);
  }
  EXPECT_EQ(cpu::f16_from_float(65519.996F), 0x7BFF);
  EXPECT_EQ(cpu::f16_from_float(65520.0F), 0x7C00);
  EXPECT_EQ(cpu::f16_from_float(0x1p-25F), 0x0000);  // halfway: to even
  EXPECT_EQ(cpu::f16_from_float(0x1.000002p-25F), 0x0001);
  EXPECT_EQ(cpu::f16_from_float(1.0F + 0x1p-11F), 0x3C00);  // halfway: to even
  EXPECT_EQ(cpu::bf16_from_float(1.0F + 0x1p-8F), 0x3F80);
  EXPECT_EQ(cpu::bf16_from_float(1.0F + 0x1.8p-7F), 0x3F82);
}

TEST(Isa, an_unknown_or_missing_set_is_an_error_in_words) {
  std::string error;
  EXPECT_EQ(make_cpu_backend({.threads = 1, .isa_max = "sse2"}, error), nullptr);
  EXPECT_NE(error.find("sse2"), std::string::npos);
  ASSERT_NE(cpu::detect_isa(), cpu::IsaLevel::kNone) << "these tests need AVX2";
  EXPECT_EQ(isa_levels().size(), static_cast<size_t>(cpu::detect_isa()));
  EXPECT_NE(make_backend("avx2", 2)->name().find("AVX2"), std::string::npos);
}

}  // namespace
}  // namespace seraph::cpu_test
