// lora_shrink and lora_expand on the simulator against double precision, and their promise about bits.
#include "kernels/cuda/lora.h"

#include "tests/kernels/cuda/device_tensor.h"

namespace seraph::cuda_test {
namespace {

struct Case {
  int64_t cols;
  std::vector<int64_t> part_ends;
  int32_t rank_max;
  DType dtype;
  DType out;
};

const Case kCases[] = {
    {64, {48}, 8, DType::kBf16, DType::kF32},
    {264, {40, 56, 72}, 16, DType::kF16, DType::kF16},
    {512, {130}, 64, DType::kBf16, DType::kBf16},
    {72, {24, 48}, 256, DType::kF16, DType::kF32},
};
constexpr int32_t kSlots = 3;
const std::vector<int32_t> kRowSlots = {0, 0, -1, 2, 1, 2, 2, 0, -1, 1, 1};

struct Problem {
  explicit Problem(const Case& c) : test(c) {
    const auto rows = static_cast<size_t>(c.part_ends.back());
    const size_t parts = c.part_ends.size();
    const auto rank = static_cast<size_t>(c.rank_max);
    const auto cols = static_cast<size_t>(c.cols);
    x = random_values(kRowSlots.size() * cols, 1, 1.0F, c.dtype);
    a = random_values(kSlots * parts * rank * cols, 2, 0.1F, c.dtype);
    b = random_values(kSlots * rows * rank, 3, 0.1F, c.dtype);
    base = random_values(kRowSlots.size() * rows, 4, 1.0F, c.out);
    for (size_t i = 0; i < kSlots * parts; ++i) scales.push_back(0.5F + 0.25F * static_cast<float>(i));
  }

  /// Rows `picked` of the batch.
  std::vector<float> run(const std::vector<size_t>& picked) const {
    std::vector<int32_t> slots;
    std::vector<float> rows;
    std::vector<float> before;
    for (const size_t row : picked) {
      slots.push_back(kRowSlots[row]);
      const auto from = x.begin() + static_cast<std::ptrdiff_t>(row) * test.cols;
      rows.insert(rows.end(), from, from + test.cols);
      const auto old = base.begin() + static_cast<std::ptrdiff_t>(row) * test.part_ends.back();
      before.insert(before.end(), old, old + test.part_ends.back());
    }
    const auto count = static_cast<int64_t>(picked.size());
    const auto num_parts = static_cast<int32_t>(test.part_ends.size());
    const DeviceTensor in(rows, count, test.cols, test.dtype, 8);
    const DeviceTensor out(before, count, test.part_ends.back(), test.out, 3);
    const DeviceArray<char> a_bytes(cpu_test::stored(a, test.dtype));
    const DeviceArray<char> b_bytes(cpu_test::stored(b, test.dtype));
    const DeviceArray<float> scale_array(scales);
    const DeviceArray<int32_t> slot_array(slots);
    const DeviceArray<int64_t> ends(test.part_ends);
    const DeviceArray<float> inner(picked.size() * static_cast<size_t>(num_parts * test.rank_max));
    const cuda::LoraSlots bank = {a_bytes.data(), b_bytes.data(), scale_array.data(), kSlots,
                                  num_parts,      test.rank_max,  test.cols,          test.part_ends.back()};
    EXPECT_EQ(finish(cuda::lora_shrink({in.tensor(), bank, slot_array.data(), inner.data()}, nullptr)), "");
    EXPECT_EQ(finish(cuda::lora_expand({.inner = inner.data(),
                                        .slots = bank,
                                        .dtype = test.dtype,
                                        .part_ends = ends.data(),
                                        .row_slots = slot_array.data(),
                                        .out = out.tensor()},
                                       nullptr)),
              "");
    return out.values();
  }

  std::vector<double> expected(size_t row) const {
    const auto rows = static_cast<size_t>(test.part_ends.back());
    const auto cols = static_cast<size_t>(test.cols);
    const auto rank = static_cast<size_t>(test.rank_max);
    const size_t parts = test.part_ends.size();
    std::vector<double> y(base.begin() + static_cast<std::ptrdiff_t>(row * rows),
                          base.begin() + static_cast<std::ptrdiff_t>((row + 1) * rows));
    if (kRowSlots[row] < 0) return y;
    const auto slot = static_cast<size_t>(kRowSlots[row]);
    for (size_t n = 0; n < rows; ++n) {
      size_t part = 0;
      while (static_cast<int64_t>(n) >= test.part_ends[part]) ++part;
      for (size_t r = 0; r < rank; ++r) {
        double inner = 0.0;
        for (size_t k = 0; k < cols; ++k) {
          inner += static_cast<double>(a[((slot * parts + part) * rank + r) * cols + k]) * x[row * cols + k];
        }
        y[n] += inner * scales[slot * parts + part] * b[(slot * rows + n) * rank + r];
      }
    }
    return y;
  }

  const Case test;
  std::vector<float> x, a, b, base, scales;
};

std::vector<size_t> all_rows() {
  std::vector<size_t> rows;
  for (size_t i = 0; i < kRowSlots.size(); ++i) rows.push_back(i);
  return rows;
}

TEST(LoraKernels, rows_of_several_adapters_agree_with_double_precision) {
  for (const Case& c : kCases) {
    TestDevice device({.seed = 8});
    const Problem problem(c);
    const std::vector<float> out = problem.run(all_rows());
    for (size_t row = 0; row < kRowSlots.size(); ++row) {
      const auto begin = out.begin() + static_cast<std::ptrdiff_t>(row) * c.part_ends.back();
      expect_close(problem.expected(row), {begin, begin + c.part_ends.back()}, std::max(1e-4, dtype_tolerance(c.out)),
                   "rank " + std::to_string(c.rank_max) + " row " + std::to_string(row));
    }
  }
}

TEST(LoraKernels, a_row_does_not_depend_on_its_mates) {
  for (const Case& c : kCases) {
    const Problem problem(c);
    std::vector<float> together;
    {
      TestDevice device;
      together = problem.run(all_rows());
    }
    for (size_t row = 0; row < kRowSlots.size(); ++row) {
      TestDevice device({.seed = row});
      const std::vector<float> alone = problem.run({row});
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(),
                             together.begin() + static_cast<std::ptrdiff_t>(row) * c.part_ends.back()))
          << "rank " << c.rank_max << " row " << row;
    }
  }
}

#ifdef SERAPH_CUDA_SIM
TEST(LoraKernels, neighbours_of_one_adapter_read_it_once) {
  TestDevice device;
  const Case c = {1024, {64}, 8, DType::kBf16, DType::kF32};
  const DeviceTensor x(std::vector<float>(8 * 1024, 1.0F), 8, 1024, c.dtype);
  const DeviceArray<char> a(std::vector<char>(8 * 1024 * 2, 0));
  const DeviceArray<char> b(std::vector<char>(64 * 8 * 2, 0));
  const DeviceArray<float> scales(std::vector<float>{1.0F});
  const DeviceArray<int32_t> slots(std::vector<int32_t>(8, 0));
  const DeviceArray<float> inner(8 * 8);
  const cuda::LoraSlots bank = {a.data(), b.data(), scales.data(), 1, 1, 8, 1024, 64};
  EXPECT_EQ(finish(cuda::lora_shrink({x.tensor(), bank, slots.data(), inner.data()}, nullptr)), "");
  // A once; each of the eight warps reads all rows of x.
  EXPECT_LE(device.last_launch().global_bytes_read, 8 * 1024 * 2 + 8 * 8 * 1024 * 2 + 8192);
}
#endif

TEST(LoraKernels, ranks_that_are_no_multiple_of_eight_are_refused) {
  TestDevice device;
  cuda::LoraShrinkLaunch args;
  args.x = {nullptr, DType::kF16, 1, 64, 64};
  args.slots = {nullptr, nullptr, nullptr, 1, 1, 12, 64, 64};
  EXPECT_EQ(cuda::lora_shrink(args, nullptr).code, cuda::kErrorInvalidValue);
  args.slots.rank_max = 16;
  args.x.dtype = DType::kF32;
  EXPECT_EQ(cuda::lora_shrink(args, nullptr).code, cuda::kErrorInvalidValue);
}

}  // namespace
}  // namespace seraph::cuda_test
