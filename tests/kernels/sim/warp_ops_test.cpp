// Each function of ptx.h against a plain loop, and the number types against their definitions.
#include <cmath>
#include <limits>

#include "kernels/cuda/reduce.h"
#include "tests/kernels/sim/support.h"

namespace seraph::sim_test {
namespace {

constexpr LaunchConfig kWarp = {.name = "primitive", .block = {32}, .budget = {1 << 20, 100.0F}};

TEST(Types, conversions_round_to_nearest_even_and_survive_a_round_trip) {
  for (uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const half_t half{static_cast<uint16_t>(bits)};
    const bf16_t brain{static_cast<uint16_t>(bits)};
    if (!std::isnan(to_float(half))) {
      ASSERT_EQ(from_float<half_t>(to_float(half)).bits, bits);
    }
    if (!std::isnan(to_float(brain))) {
      ASSERT_EQ(from_float<bf16_t>(to_float(brain)).bits, bits);
    }
  }
  for (uint32_t bits = 0; bits < 0x100U; ++bits) {
    const fp8_t value{static_cast<uint8_t>(bits)};
    if ((bits & 0x7FU) == 0x7FU) {
      ASSERT_TRUE(std::isnan(to_float(value)));
      continue;
    }
    const int exponent = static_cast<int>(bits >> 3 & 15U);
    const float mantissa = static_cast<float>(bits & 7U);
    const float magnitude = exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8.0F + mantissa, exponent - 10);
    ASSERT_EQ(to_float(value), (bits & 0x80U) != 0 ? -magnitude : magnitude);
    ASSERT_EQ(from_float<fp8_t>(to_float(value)).bits, bits);
  }
  EXPECT_EQ(to_float(from_float<fp8_t>(1e9F)), 448.0F);
  EXPECT_EQ(to_float(from_float<fp8_t>(-std::numeric_limits<float>::infinity())), -448.0F);
  EXPECT_EQ(to_float(from_float<fp8_t>(17.0F)), 16.0F);  // halfway between 16 and 18: to even
  EXPECT_EQ(to_float(from_float<fp8_t>(19.0F)), 20.0F);
  EXPECT_EQ(from_float<fp8_t>(0x1p-10F).bits, 0);  // halfway to the smallest: to even
  EXPECT_EQ(from_float<fp8_t>(0x1.8p-9F).bits, 2);
}

__global__ void shuffles(Global<int32_t> out) {
  const int lane = lane_id();
  out[lane] = shuffle(lane * 10, 5);
  out[32 + lane] = shuffle_xor(lane, 3);
  out[64 + lane] = shuffle_down(lane, 4);
  out[96 + lane] = shuffle_up(lane, 4);
  out[128 + lane] = static_cast<int32_t>(ballot(lane % 3 == 0));
  out[160 + lane] = any(lane == 7) ? 1 : 0;
  out[192 + lane] = all(lane < 31) ? 1 : 0;
  const double wide = shuffle(static_cast<double>(lane) + 0.5, (lane + 1) % 32);
  out[224 + lane] = static_cast<int32_t>(wide * 2);
  int32_t half = 0;
  if (lane < 16) half = shuffle_xor(lane, 8, 0xFFFFU);
  if (lane >= 16) half = shuffle_xor(lane, 8, 0xFFFF0000U);
  out[256 + lane] = half;
}

TEST(Primitives, shuffles_and_votes) {
  sim::Device device;
  DeviceArray<int32_t> out(288);
  ASSERT_EQ(run(shuffles, kWarp, out.all()), "");
  const std::vector<int32_t> values = out.values();
  int32_t votes = 0;
  for (int lane = 0; lane < 32; ++lane) votes |= lane % 3 == 0 ? 1 << lane : 0;
  for (int32_t lane = 0; lane < 32; ++lane) {
    const auto at = [&](int32_t i) { return values[static_cast<size_t>(i * 32 + lane)]; };
    EXPECT_EQ(at(0), 50);
    EXPECT_EQ(at(1), lane ^ 3);
    EXPECT_EQ(at(2), lane < 28 ? lane + 4 : lane);
    EXPECT_EQ(at(3), lane >= 4 ? lane - 4 : lane);
    EXPECT_EQ(at(4), votes);
    EXPECT_EQ(at(5), 1);
    EXPECT_EQ(at(6), 0);
    EXPECT_EQ(at(7), (lane + 1) % 32 * 2 + 1);
    EXPECT_EQ(at(8), lane ^ 8);
  }
}

__global__ void sums(Global<const float> x, Global<float> out) {
  SERAPH_SHARED(float, partials, 8);
  const float mine = x[threadIdx.x];
  out[threadIdx.x] = block_sum(mine, partials);
  out[256 + threadIdx.x] = warp_max(mine);
  sync_threads();
  out[512 + threadIdx.x] = block_max(mine + static_cast<float>(threadIdx.x), partials);
}

TEST(Primitives, block_sum_gives_every_thread_the_sum) {
  sim::Device device;
  std::vector<float> values(256);
  float expected = 0.0F;
  for (size_t i = 0; i < values.size(); ++i) expected += values[i] = static_cast<float>(i % 17);
  DeviceArray<float> x(values);
  DeviceArray<float> out(768);
  LaunchConfig config = kWarp;
  config.block = {256};
  ASSERT_EQ(run(sums, config, x.constant(), out.all()), "");
  const std::vector<float> got = out.values();
  for (size_t i = 0; i < 256; ++i) EXPECT_EQ(got[i], expected);
  EXPECT_EQ(got[256], 16.0F);
  for (size_t i = 512; i < 768; ++i) EXPECT_EQ(got[i], 254.0F + 16.0F);  // 254 % 17 is 16
}

/// One warp, D [16][8] = A [16][k] B^T [8][k], registers filled from memory by the PTX manual's formulas.
template <typename T, int kPerWord>
__global__ void multiply(Global<const uint32_t> a, Global<const uint32_t> b, Global<float> out) {
  const int g = lane_id() / 4;
  const int q = lane_id() % 4;
  constexpr int kWords = 8;  // of a row of k elements
  Fragment<uint32_t, 4> fa;
  Fragment<uint32_t, 2> fb;
  fa[0] = a[g * kWords + q];
  fa[1] = a[(g + 8) * kWords + q];
  fa[2] = a[g * kWords + q + 4];
  fa[3] = a[(g + 8) * kWords + q + 4];
  fb[0] = b[g * kWords + q];
  fb[1] = b[g * kWords + q + 4];
  Fragment<float, 4> acc;
  if constexpr (std::is_same_v<T, int8_t>) {
    Fragment<int32_t, 4> whole;
    whole.fill(1);
    mma_s8(whole, fa, fb);
    for (int i = 0; i < 4; ++i) acc[i] = static_cast<float>(whole[i]);
  } else {
    acc.fill(1.0F);
    mma<T>(acc, fa, fb);
  }
  for (int i = 0; i < 4; ++i) out[(g + i / 2 * 8) * 8 + q * 2 + i % 2] = acc[i];
}

template <typename T>
float number(T x) {
  if constexpr (std::is_same_v<T, int8_t>) {
    return static_cast<float>(x);
  } else {
    return to_float(x);
  }
}

template <typename T>
void expect_mma_right() {
  constexpr int kPerWord = 4 / static_cast<int>(sizeof(T));
  constexpr size_t kDepth = 8 * kPerWord;
  std::mt19937 engine(11);
  std::uniform_int_distribution<int> uniform(-100, 100);
  std::vector<T> a(16 * kDepth);
  std::vector<T> b(8 * kDepth);
  for (auto* matrix : {&a, &b}) {
    for (T& x : *matrix) {
      if constexpr (std::is_same_v<T, int8_t>) {
        x = static_cast<int8_t>(uniform(engine));
      } else {
        x = from_float<T>(static_cast<float>(uniform(engine)) / 16.0F);
      }
    }
  }
  const auto words = [](const std::vector<T>& matrix) {
    std::vector<uint32_t> out(matrix.size() * sizeof(T) / 4);
    std::memcpy(out.data(), matrix.data(), out.size() * 4);
    return out;
  };
  DeviceArray<uint32_t> da(words(a));
  DeviceArray<uint32_t> db(words(b));
  DeviceArray<float> out(128);
  ASSERT_EQ(run(multiply<T, kPerWord>, kWarp, da.constant(), db.constant(), out.all()), "");
  for (size_t row = 0; row < 16; ++row) {
    for (size_t column = 0; column < 8; ++column) {
      double expected = 1.0;
      for (size_t i = 0; i < kDepth; ++i) {
        expected += static_cast<double>(number(a[row * kDepth + i])) * number(b[column * kDepth + i]);
      }
      ASSERT_EQ(out.values()[row * 8 + column], static_cast<float>(expected)) << row << " " << column;
    }
  }
  EXPECT_EQ(sim::Device::current().totals().at("primitive").mma_instructions, 1);
}

TEST(Primitives, mma_multiplies_with_the_manuals_fragment_layouts) {
  const auto each = [](void (*expect)()) {
    sim::Device device;
    expect();
  };
  each(expect_mma_right<half_t>);
  each(expect_mma_right<bf16_t>);
  each(expect_mma_right<fp8_t>);
  each(expect_mma_right<int8_t>);
}

/// C [16][8] = A [16][16] B [8][16]^T with both in shared memory, by ldmatrix as ptx.h says; and C from B transposed,
/// stored [16][8].
template <bool kTransposed>
__global__ void multiply_from_shared(Global<const half_t> a, Global<const half_t> b, Global<float> out) {
  SERAPH_SHARED(half_t, tile_a, 16 * 24);  // rows of 48 bytes: eight of them fall on different banks
  SERAPH_SHARED(half_t, tile_b, 16 * 24);
  const int lane = lane_id();
  for (int i = lane; i < 256; i += 32) tile_a[i / 16 * 24 + i % 16] = a[i];
  for (int i = lane; i < 128; i += 32) {
    if (kTransposed) {
      tile_b[i / 8 * 24 + i % 8] = b[i];
    } else {
      tile_b[i / 16 * 24 + i % 16] = b[i];
    }
  }
  sync_warp();
  Fragment<uint32_t, 4> fa;
  Fragment<uint32_t, 2> fb;
  load_matrix<4>(fa, tile_a, lane % 16 * 24 + lane / 16 * 8);
  if (kTransposed) {
    load_matrix_transposed<2>(fb, tile_b, lane % 16 * 24);
  } else {
    load_matrix<2>(fb, tile_b, lane % 8 * 24 + lane / 8 % 2 * 8);
  }
  Fragment<float, 4> acc;
  acc.fill(0.0F);
  mma<half_t>(acc, fa, fb);
  for (int i = 0; i < 4; ++i) out[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = acc[i];
}

TEST(Primitives, ldmatrix_loads_the_fragments_of_mma_without_bank_conflicts) {
  for (const bool transposed : {false, true}) {
    sim::Device device;
    const std::vector<half_t> a = random_16bit<half_t>(256, 1);
    const std::vector<half_t> b = random_16bit<half_t>(128, 2);
    DeviceArray<half_t> da(a);
    DeviceArray<half_t> db(b);
    DeviceArray<float> out(128);
    const auto kernel = transposed ? multiply_from_shared<true> : multiply_from_shared<false>;
    ASSERT_EQ(run(kernel, kWarp, da.constant(), db.constant(), out.all()), "");
    for (size_t row = 0; row < 16; ++row) {
      for (size_t column = 0; column < 8; ++column) {
        double expected = 0.0;
        for (size_t k = 0; k < 16; ++k) {
          const half_t right = transposed ? b[k * 8 + column] : b[column * 16 + k];
          expected += static_cast<double>(to_float(a[row * 16 + k])) * to_float(right);
        }
        ASSERT_EQ(out.values()[row * 8 + column], static_cast<float>(expected));
      }
    }
    EXPECT_LE(device.last_launch().bank_conflicts, 16);
  }
}

/// Two groups in flight: the older must have arrived, the younger may not be read.
__global__ void copy_in_stages(Global<const uint8_t> x, Global<uint8_t> out) {
  SERAPH_SHARED(uint8_t, tile, 32 * 32);
  const int lane = lane_id();
  copy_async<16>(tile, lane * 16, x, lane * 16);
  commit_async();
  copy_async<16>(tile, 512 + lane * 16, x, 512 + lane * 16, lane == 31 ? 5 : 16);
  commit_async();
  wait_async<1>();
  sync_warp();
  for (int i = lane; i < 512; i += 32) out[i] = tile[511 - i];
  wait_async<0>();
  sync_warp();
  for (int i = lane; i < 512; i += 32) out[512 + i] = tile[512 + i];
}

TEST(Primitives, asynchronous_copies_arrive_group_by_group_and_fill_with_zeros) {
  sim::Device device;
  std::vector<uint8_t> values(1024);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i * 7);
  DeviceArray<uint8_t> x(values);
  DeviceArray<uint8_t> out(1024);
  ASSERT_EQ(run(copy_in_stages, kWarp, Global<const uint8_t>(x.data(), 1013), out.all()), "");
  const std::vector<uint8_t> copied = out.values();
  for (size_t i = 0; i < 512; ++i) ASSERT_EQ(copied[i], values[511 - i]);
  for (size_t i = 512; i < 1024; ++i) ASSERT_EQ(copied[i], i < 1013 ? values[i] : 0);
}

__global__ void arithmetic(Global<uint32_t> out) {
  if (lane_id() != 0) return;
  out[0] = select_bytes(0x33221100U, 0x77665544U, 0x6240U);
  out[1] = logic3<(0xF0 & 0xCC) | 0xAA>(0xFF00FF00U, 0xF0F0F0F0U, 0x00000001U);
  out[2] = static_cast<uint32_t>(dot4(0x01FF02FEU, 0x05060708U, 10));
  out[3] =
      fma_pair<half_t>(pack_pair<half_t>(2.0F, 3.0F), pack_pair<half_t>(4.0F, -1.0F), pack_pair<half_t>(0.5F, 1.0F));
  out[4] = float_bits(exp2_fast(3.0F));
  // 1 + 2^-11 is halfway between two halves; what is added beyond decides.
  const uint32_t c = pack_pair<half_t>(1.0F, 1.0F);
  out[5] = fma_pair<half_t>(pack_pair<half_t>(0x1p-11F, 0x1.004p-11F), c, c);
}

TEST(Primitives, scalar_instructions) {
  sim::Device device;
  DeviceArray<uint32_t> out(6);
  ASSERT_EQ(run(arithmetic, kWarp, out.all()), "");
  const std::vector<uint32_t> values = out.values();
  EXPECT_EQ(values[0], 0x66224400U);
  EXPECT_EQ(values[1], 0xF000F001U);
  EXPECT_EQ(static_cast<int32_t>(values[2]), 10 + 5 - 6 + 14 - 16);
  EXPECT_EQ(values[3], pack_pair<half_t>(8.5F, -2.0F));
  EXPECT_EQ(bits_float(values[4]), 8.0F);
  EXPECT_EQ(values[5], pack_pair<half_t>(1.0F, 1.0F + 0x1p-10F));
}

__global__ void atomics(Global<uint32_t> words, Global<uint64_t> keys, Global<const float> x) {
  SERAPH_SHARED(int32_t, count, 1);
  if (threadIdx.x == 0) count[0] = 0;
  sync_threads();
  atomic_add(count, 0, 1);
  atomic_max(keys, 0, uint64_t{threadIdx.x * 37 % 64} << 32 | threadIdx.x);
  if (threadIdx.x < 8) prefetch(x, threadIdx.x);
  sync_threads();
  if (threadIdx.x != 0) return;
  const int32_t total = count[0];
  words[1] = atomic_exchange(words, 0, static_cast<uint32_t>(total));
}

TEST(Primitives, atomic_operations_return_the_old_value) {
  sim::Device device;
  DeviceArray<uint32_t> words(std::vector<uint32_t>{5, 6});
  DeviceArray<uint64_t> keys(std::vector<uint64_t>{0});
  DeviceArray<float> x(8);
  LaunchConfig config = kWarp;
  config.block = {64};
  ASSERT_EQ(run(atomics, config, words.all(), keys.all(), x.constant()), "");
  EXPECT_EQ(words.values(), (std::vector<uint32_t>{64, 5}));
  EXPECT_EQ(keys.values()[0] >> 32, 63U);
  DeviceArray<float> short_x(8);
  const std::string report = run(atomics, config, words.all(), keys.all(), Global<const float>(short_x.data(), 7));
  expect_report(report, {"thread (7,0,0)", "out of bounds: prefetches"});
}

TEST(Types, pairs_of_fp8_become_halves_exactly) {
  for (uint32_t bits = 0; bits < 0x100U; ++bits) {
    if ((bits & 0x7FU) == 0x7FU) continue;
    const FloatPair pair = unpack_pair<half_t>(fp8_pair_to_half_pair(static_cast<uint16_t>(bits | 0x3800U)));
    ASSERT_EQ(pair.lo, to_float(fp8_t{static_cast<uint8_t>(bits)}));
    ASSERT_EQ(pair.hi, 1.0F);
  }
}

}  // namespace
}  // namespace seraph::sim_test
