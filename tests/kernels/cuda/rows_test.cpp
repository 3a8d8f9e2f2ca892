// rms_norm, gather_rows, silu_mul and copy_kv_blocks against double precision, for every dtype and for rows that are
// not aligned; and that a row's bits do not depend on its company.
#include "kernels/cuda/copy_kv_blocks.h"
#include "kernels/cuda/gather_rows.h"
#include "kernels/cuda/rms_norm.h"
#include "kernels/cuda/silu_mul.h"
#include "tests/kernels/cuda/device.h"
#include "tests/kernels/cuda/support.h"
#include "tests/kernels/rows_reference.h"

namespace seraph::cuda_test {
namespace {

constexpr int64_t kRows = 5;

void finish(const Status& launched) {
  ASSERT_TRUE(launched.ok()) << describe(launched);
  const Status done = synchronize_device();
  ASSERT_TRUE(done.ok()) << describe(done);
}

void expect_norm_right(int64_t group, DType in, DType out_type, int64_t padding, int64_t offset) {
  TestDevice device;
  const int64_t cols = group * 3;
  const std::vector<float> values = random_values(kRows * cols, 1, 3.0F, in);
  const std::vector<float> weight = random_values(group, 2, 1.0F, DType::kF32);
  const Matrix x(values, kRows, cols, in, padding, offset);
  const Matrix out(kRows, cols, out_type, padding, offset);
  const DeviceBytes device_weight(weight.data(), group * 4);
  RmsNormLaunch args;
  args.x = x.tensor();
  args.weight = static_cast<const float*>(device_weight.data());
  args.group = group;
  args.eps = 1e-5F;
  args.out = out.tensor();
  finish(rms_norm(args, nullptr));
  const std::vector<double> expected = kernel_test::rms_norm_reference(values, cols, weight, 1e-5);
  const std::string what = "group " + std::to_string(group) + " " + name_of(in) + " to " + name_of(out_type);
  expect_close(expected, out.values(), rounding_of(out_type) + 2e-6, 1e-3, what);
  // One row alone, on memory aligned differently, has the same bits.
  const Matrix alone(std::vector<float>(values.begin() + 3 * cols, values.begin() + 4 * cols), 1, cols, in);
  const Matrix alone_out(1, cols, out_type, 0, 1);
  args.x = alone.tensor();
  args.out = alone_out.tensor();
  finish(rms_norm(args, nullptr));
  const std::vector<double> all = out.values();
  const std::vector<double> row(all.begin() + 3 * cols, all.begin() + 4 * cols);
  ASSERT_EQ(row, alone_out.values()) << what;
}

TEST(CudaRmsNorm, agrees_with_double_precision_for_every_group_size) {
  for (const int64_t group : kernel_test::kRmsNormGroups) {
    expect_norm_right(group, DType::kBf16, DType::kBf16, 8, 0);
    expect_norm_right(group, DType::kF16, DType::kF16, 3, 1);
    expect_norm_right(group, DType::kF32, DType::kBf16, 0, 0);
    expect_norm_right(group, DType::kF16, DType::kF32, 5, 0);
  }
}

TEST(CudaRmsNorm, adds_first_and_keeps_the_sum) {
  for (const DType dtype : kDTypes) {
    for (const int64_t group : {64, 896}) {
      TestDevice device;
      const std::vector<float> values = random_values(kRows * group, 3, 3.0F, dtype);
      const std::vector<float> added = random_values(kRows * group, 4, 1.0F, dtype);
      const std::vector<float> weight(static_cast<size_t>(group), 1.5F);
      std::vector<float> sums(values.size());
      for (size_t i = 0; i < sums.size(); ++i) sums[i] = rounded(values[i] + added[i], dtype);
      const Matrix x(values, kRows, group, dtype, 8);
      const Matrix addend(added, kRows, group, dtype);
      const Matrix out(kRows, group, dtype);
      const DeviceBytes device_weight(weight.data(), group * 4);
      RmsNormLaunch args;
      args.x = x.tensor();
      args.addend = addend.tensor();
      args.weight = static_cast<const float*>(device_weight.data());
      args.group = group;
      args.out = out.tensor();
      finish(rms_norm(args, nullptr));
      EXPECT_EQ(x.values(), std::vector<double>(sums.begin(), sums.end()));
      expect_close(kernel_test::rms_norm_reference(sums, group, weight, 1e-6), out.values(), rounding_of(dtype) + 2e-6,
                   1e-3, name_of(dtype));
    }
  }
}

TEST(CudaRmsNorm, may_write_over_its_input_and_refuses_partial_groups) {
  TestDevice device;
  const std::vector<float> values = random_values(kRows * 96, 5, 2.0F, DType::kF16);
  const std::vector<float> weight(96, 2.0F);
  const Matrix x(values, kRows, 96, DType::kF16);
  const DeviceBytes device_weight(weight.data(), 96 * 4);
  RmsNormLaunch args;
  args.x = x.tensor();
  args.weight = static_cast<const float*>(device_weight.data());
  args.group = 96;
  args.out = x.tensor();
  finish(rms_norm(args, nullptr));
  expect_close(kernel_test::rms_norm_reference(values, 96, weight, 1e-6), x.values(), rounding_of(DType::kF16) + 2e-6,
               1e-3, "in place");
  args.group = 95;
  EXPECT_EQ(rms_norm(args, nullptr).code, kErrorInvalidValue);
}

TEST(CudaGatherRows, picks_rows_in_the_order_asked_and_converts) {
  const std::vector<int32_t> picked = {5, 0, 5, 3};
  for (const DType in : kDTypes) {
    for (const DType out_type : kDTypes) {
      for (const int64_t cols : {7, 72, 2050}) {
        TestDevice device;
        const std::vector<float> values = random_values(6 * cols, 6, 1.0F, in);
        const Matrix x(values, 6, cols, in, cols % 8 == 0 ? 8 : 1);
        const Matrix out(4, cols, out_type);
        const DeviceBytes rows(picked.data(), 16);
        finish(gather_rows({x.tensor(), static_cast<const int32_t*>(rows.data()), out.tensor()}, nullptr));
        std::vector<double> expected;
        for (const int32_t row : picked) {
          for (int64_t c = 0; c < cols; ++c) {
            expected.push_back(rounded(values[static_cast<size_t>(row * cols + c)], out_type));
          }
        }
        ASSERT_EQ(expected, out.values()) << name_of(in) << " to " << name_of(out_type) << ", " << cols << " columns";
      }
    }
  }
}

TEST(CudaSiluMul, agrees_with_double_precision) {
  constexpr int64_t kGroup = 8;  // columns of gate, then as many of up
  for (const DType in : {DType::kF16, DType::kBf16}) {
    for (const DType out_type : {DType::kF16, DType::kBf16}) {
      for (const int64_t cols : {8, 96, 2200}) {
        TestDevice device;
        const std::vector<float> gate = random_values(kRows * cols, 7, 4.0F, in);
        const std::vector<float> up = random_values(kRows * cols, 8, 1.0F, in);
        std::vector<float> product(gate.size() * 2);
        for (int64_t i = 0; i < kRows * cols; ++i) {
          const int64_t at = i / cols * 2 * cols + i % cols / kGroup * 2 * kGroup + i % kGroup;
          product[static_cast<size_t>(at)] = gate[static_cast<size_t>(i)];
          product[static_cast<size_t>(at + kGroup)] = up[static_cast<size_t>(i)];
        }
        const Matrix device_product(product, kRows, 2 * cols, in, 8);
        const Matrix out(kRows, cols, out_type, 16);
        finish(silu_mul({device_product.tensor(), out.tensor()}, nullptr));
        expect_close(kernel_test::silu_mul_reference(gate, up), out.values(), rounding_of(out_type) + 2e-6, 1e-3,
                     name_of(in) + " to " + name_of(out_type));
      }
    }
  }
  TestDevice device;
  const Matrix product(1, 24, DType::kF16);
  const Matrix out(1, 12, DType::kF16, 4);
  EXPECT_EQ(silu_mul({product.tensor(), out.tensor()}, nullptr).code, kErrorInvalidValue);
}

TEST(CudaCopyKvBlocks, copies_whole_blocks_and_nothing_else) {
  for (const int64_t block_bytes : {16, 4096, 3 * 4096 + 48}) {
    TestDevice device;
    std::vector<uint8_t> host(static_cast<size_t>(6 * block_bytes));
    std::mt19937 engine(9);
    for (uint8_t& byte : host) byte = static_cast<uint8_t>(engine());
    const DeviceBytes storage(host.data(), 6 * block_bytes);
    const int32_t from[] = {0, 3, 0};
    const int32_t to[] = {5, 1, 2};
    const DeviceBytes device_from(from, sizeof(from));
    const DeviceBytes device_to(to, sizeof(to));
    CopyKvBlocksLaunch args;
    args.storage = storage.data();
    args.block_bytes = block_bytes;
    args.num_blocks = 6;
    args.from = static_cast<const int32_t*>(device_from.data());
    args.to = static_cast<const int32_t*>(device_to.data());
    args.num_copies = 3;
    finish(copy_kv_blocks(args, nullptr));
    for (int i = 0; i < 3; ++i) {
      std::copy_n(host.begin() + from[i] * block_bytes, block_bytes, host.begin() + to[i] * block_bytes);
    }
    EXPECT_EQ(storage.read(), host);
    args.block_bytes = 24;
    EXPECT_EQ(copy_kv_blocks(args, nullptr).code, kErrorInvalidValue);
  }
}

}  // namespace
}  // namespace seraph::cuda_test
