#include "engine/model/host_floats.h"

#include <gtest/gtest.h>

#include <array>

namespace seraph {
namespace {

TEST(HostFloats, WidensEveryStoredType) {
  std::vector<float> out = {9.0F};
  const std::array<uint16_t, 3> halves = {0x3C00, 0x8001, 0x7C00};  // 1, the smallest negative subnormal, infinity
  append_floats({.data = halves.data(), .dtype = DType::kF16, .rows = 1, .cols = 3}, out);
  const std::array<uint16_t, 2> brains = {0x3F80, 0xC040};  // 1, -3
  append_floats({.data = brains.data(), .dtype = DType::kBf16, .rows = 1, .cols = 2}, out);
  const std::array<float, 1> floats = {0.5F};
  append_floats({.data = floats.data(), .dtype = DType::kF32, .rows = 1, .cols = 1}, out);
  EXPECT_EQ(out,
            (std::vector<float>{9.0F, 1.0F, -0x1p-24F, std::numeric_limits<float>::infinity(), 1.0F, -3.0F, 0.5F}));
}

}  // namespace
}  // namespace seraph
