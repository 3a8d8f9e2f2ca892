#include "kernels/cuda/device_weight.h"

#include <gtest/gtest.h>

#include "tests/kernels/cpu/support.h"
#include "tests/kernels/cuda/device.h"

namespace seraph::cuda {
namespace {

class WeightPackerTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(work_.open() && staging_.open(1 << 12)); }

  template <typename T>
  std::vector<T> read(const void* device, int64_t count) {
    std::vector<T> out(static_cast<size_t>(count));
    work_.copy(out.data(), device, count * static_cast<int64_t>(sizeof(T)), CopyKind::kDeviceToHost);
    work_.wait();
    EXPECT_EQ(work_.fault(), "");
    return out;
  }

  cuda_test::TestDevice device_;
  StreamWork work_;
  Staging staging_{work_};
  WeightPacker packer_{work_, staging_};
};

/// Twelve rows each: a group of eight and one of four that zeros fill up.
TEST_F(WeightPackerTest, GateAndUpAlternateInGroupsThatZerosFillUp) {
  const auto values = cpu_test::random_values(24 * 70, 1, 1.0F, DType::kF16);
  const HostMatrix parts[] = {{values.data(), DType::kF32, 12, 70}, {values.data() + 12 * 70, DType::kF32, 12, 70}};
  const auto weight = packer_.pack({.parts = parts, .compute = DType::kF16, .gate_up = true});
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->rows(), 24);
  EXPECT_EQ(weight->num_outputs(), 32);
  EXPECT_EQ(weight->product().cols, 72);
  const int64_t stride = weight->layout().stride;
  const auto stored = read<uint16_t>(weight->layout().data, weight->layout().rows * stride);
  for (int64_t row = 0; row < 32; ++row) {
    const bool up = row / 8 % 2 == 1;
    const int64_t source = row / 16 * 8 + row % 8;
    for (int64_t col = 0; col < stride; ++col) {
      const bool present = source < 12 && col < 70;
      const float expected = present ? values[static_cast<size_t>((up ? 12 * 70 : 0) + source * 70 + col)] : 0.0F;
      ASSERT_EQ(cpu::float_from_f16(stored[static_cast<size_t>(row * stride + col)]), expected) << row << ", " << col;
    }
  }
}

TEST_F(WeightPackerTest, BiasesGoWhereTheirOutputsAre) {
  std::vector<float> values(24);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
  const Buffer bias = packer_.pack_bias(values, true);
  const std::vector<float> expected = {1, 2,  3,  4,  5, 6, 7, 8, 13, 14, 15, 16, 17, 18, 19, 20,
                                       9, 10, 11, 12, 0, 0, 0, 0, 21, 22, 23, 24, 0,  0,  0,  0};
  EXPECT_EQ(read<float>(bias.data(), 32), expected);
  const Buffer plain = packer_.pack_bias(values, false);
  EXPECT_EQ(read<float>(plain.data(), 24), values);
}

}  // namespace
}  // namespace seraph::cuda
