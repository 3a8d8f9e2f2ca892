// rope_cache on the simulator against plain double-precision code.
#include "kernels/cuda/rope_cache.h"

#include "tests/kernels/cuda/device_tensor.h"

namespace seraph::cuda_test {
namespace {

struct Case {
  int32_t heads;
  int32_t kv_heads;
  int32_t head_dim;
  int32_t rotary_dim;
  int32_t block_tokens;
  int32_t tokens;
  DType dtype;
  DType kv;
  bool norms;
};

const Case kCases[] = {
    {4, 2, 64, 64, 16, 5, DType::kBf16, DType::kBf16, false},  {7, 1, 64, 64, 16, 3, DType::kF16, DType::kF16, true},
    {2, 2, 80, 80, 16, 4, DType::kF16, DType::kF16, false},    {8, 1, 96, 72, 8, 2, DType::kBf16, DType::kBf16, true},
    {14, 2, 128, 128, 16, 3, DType::kBf16, DType::kF16, true}, {2, 1, 256, 256, 32, 2, DType::kF32, DType::kBf16, true},
    {3, 3, 20, 20, 24, 5, DType::kF32, DType::kF32, true},     {3, 1, 10, 6, 8, 4, DType::kF32, DType::kF16, true},
    {1, 1, 128, 0, 16, 2, DType::kF16, DType::kF16, false},
};
constexpr float kEps = 1e-5F;
constexpr int32_t kLayers = 3;
constexpr int32_t kLayer = 1;

class RopeTest {
 public:
  explicit RopeTest(const Case& c) : test_(c) {
    cols_ = (c.heads + 2 * c.kv_heads) * c.head_dim;
    qkv_ = random_values(static_cast<size_t>(c.tokens * cols_), 1, 1.5F, c.dtype);
    q_norm_ = random_values(static_cast<size_t>(c.head_dim), 2);
    k_norm_ = random_values(static_cast<size_t>(c.head_dim), 3);
    cos_sin_ = random_values(static_cast<size_t>(c.tokens * c.rotary_dim), 4);
    shape_ = {kLayers, c.kv_heads, c.head_dim, c.block_tokens, c.kv};
    num_blocks_ = c.tokens / c.block_tokens + 3;
    for (int32_t t = 0; t < c.tokens; ++t) slots_.push_back(num_blocks_ * c.block_tokens - 1 - 2 * t);
  }

  /// Tokens [begin, begin + count); q after the call, then the whole cache.
  std::pair<std::vector<float>, std::vector<float>> run(int32_t begin, int32_t count) const {
    const int64_t elements = int64_t{2} * kLayers * test_.kv_heads * test_.head_dim * test_.block_tokens;
    DeviceTensor cache(std::vector<float>(static_cast<size_t>(elements * num_blocks_), 77.0F), num_blocks_, elements,
                       test_.kv);
    const std::vector<float> qkv = launch(begin, count, cache.tensor().data);
    return {qkv, cache.values()};
  }
  std::vector<char> run_bytes(int32_t begin, int32_t count) const {
    DeviceArray<char> cache(std::vector<char>(static_cast<size_t>(kLayers * kv_layer_bytes(shape_) * num_blocks_), 0));
    launch(begin, count, cache.data());
    return cache.values();
  }
  /// A head of the cache of e4m3.
  std::vector<double> cached_fp8(const std::vector<char>& cache, int32_t token, int32_t kv_index) const {
    const int32_t slot = slots_[static_cast<size_t>(token)];
    const char* layer = cache.data() + (slot / test_.block_tokens * kLayers + kLayer) * kv_layer_bytes(shape_);
    const int64_t index = int64_t{kv_index} * test_.block_tokens + slot % test_.block_tokens;
    const int64_t planes = int64_t{2} * test_.kv_heads * test_.block_tokens * test_.head_dim;
    uint16_t scale = 0;
    std::memcpy(&scale, layer + planes + index * 2, 2);
    std::vector<double> out;
    for (int32_t i = 0; i < test_.head_dim; ++i) {
      const auto byte = static_cast<uint8_t>(layer[index * test_.head_dim + i]);
      out.push_back(static_cast<double>(cuda::to_float(cuda::fp8_t{byte})) * cuda::to_float(cuda::bf16_t{scale}));
    }
    return out;
  }

  /// q after the call.
  std::vector<float> launch(int32_t begin, int32_t count, void* cache) const {
    DeviceTensor qkv({qkv_.begin() + begin * cols_, qkv_.begin() + (begin + count) * cols_}, count, cols_, test_.dtype,
                     4);
    DeviceArray<float> q_norm(q_norm_);
    DeviceArray<float> k_norm(k_norm_);
    std::vector<float> tables(cos_sin_.begin() + begin * test_.rotary_dim,
                              cos_sin_.begin() + (begin + count) * test_.rotary_dim);
    tables.push_back(0.0F);  // an allocation has at least a byte
    DeviceArray<float> cos_sin(tables);
    DeviceArray<int32_t> slots(std::vector<int32_t>(slots_.begin() + begin, slots_.begin() + begin + count));
    EXPECT_EQ(finish(cuda::rope_cache({.qkv = qkv.tensor(),
                                       .cos_sin = cos_sin.data(),
                                       .rotary_dim = test_.rotary_dim,
                                       .q_norm = test_.norms ? q_norm.data() : nullptr,
                                       .k_norm = test_.norms ? k_norm.data() : nullptr,
                                       .norm_eps = kEps,
                                       .num_heads = test_.heads,
                                       .slots = slots.data(),
                                       .shape = shape_,
                                       .cache = cache,
                                       .num_blocks = num_blocks_,
                                       .layer = kLayer},
                                      nullptr)),
              "");
    return qkv.values();
  }

  /// Head `head` (of q, then k, then v) of a token.
  std::vector<double> expected(int32_t token, int32_t head) const {
    const auto begin = qkv_.begin() + token * cols_ + head * test_.head_dim;
    std::vector<double> v(begin, begin + test_.head_dim);
    if (head >= test_.heads + test_.kv_heads) return v;
    if (test_.norms) {
      double squares = 0.0;
      for (const double x : v) squares += x * x;
      const double scale = 1.0 / std::sqrt(squares / test_.head_dim + kEps);
      const std::vector<float>& norm = head < test_.heads ? q_norm_ : k_norm_;
      for (size_t i = 0; i < v.size(); ++i) v[i] *= scale * norm[i];
    }
    const auto half = static_cast<size_t>(test_.rotary_dim / 2);
    const float* table = cos_sin_.data() + token * test_.rotary_dim;
    for (size_t i = 0; i < half; ++i) {
      const double a = v[i];
      const double b = v[i + half];
      v[i] = a * table[i] - b * table[i + half];
      v[i + half] = b * table[i] + a * table[i + half];
    }
    return v;
  }

  std::vector<double> cached(const std::vector<float>& cache, int32_t token, int32_t kv_index) const {
    const int32_t slot = slots_[static_cast<size_t>(token)];
    const int64_t plane = int64_t{test_.head_dim} * test_.block_tokens;
    const int64_t begin =
        ((slot / test_.block_tokens * kLayers + kLayer) * int64_t{2} * test_.kv_heads + kv_index) * plane +
        slot % test_.block_tokens * test_.head_dim;
    return {cache.begin() + begin, cache.begin() + begin + test_.head_dim};
  }

  const Case& test() const { return test_; }
  int32_t cols() const { return cols_; }
  void set_slot(size_t token, int32_t slot) { slots_[token] = slot; }

 private:
  const Case test_;
  int32_t cols_ = 0;
  int32_t num_blocks_ = 0;
  KvShape shape_;
  std::vector<float> qkv_;
  std::vector<float> q_norm_;
  std::vector<float> k_norm_;
  std::vector<float> cos_sin_;
  std::vector<int32_t> slots_;
};

TEST(RopeCache, agrees_with_plain_double_precision_code) {
  for (const Case& c : kCases) {
    TestDevice device;
    const RopeTest test(c);
    const auto [qkv, cache] = test.run(0, c.tokens);
    const std::string what = "head_dim " + std::to_string(c.head_dim);
    for (int32_t t = 0; t < c.tokens; ++t) {
      for (int32_t h = 0; h < c.heads + 2 * c.kv_heads; ++h) {
        if (h < c.heads) {
          const auto begin = qkv.begin() + t * test.cols() + h * c.head_dim;
          expect_close(test.expected(t, h), {begin, begin + c.head_dim}, dtype_tolerance(c.dtype), what + " q");
        } else {
          expect_close(test.expected(t, h), test.cached(cache, t, h - c.heads), dtype_tolerance(c.kv), what + " kv");
        }
      }
    }
    // Nothing else of the cache was touched.
    const auto untouched = std::count(cache.begin(), cache.end(), 77.0F);
    EXPECT_EQ(untouched, static_cast<int64_t>(cache.size()) - int64_t{2} * c.tokens * c.kv_heads * c.head_dim) << what;
  }
}

TEST(RopeCache, a_row_does_not_depend_on_its_mates) {
  for (const Case& c : kCases) {
    TestDevice device({.seed = 5});
    const RopeTest test(c);
    const auto [together, cache] = test.run(0, c.tokens);
    for (int32_t t = 0; t < c.tokens; ++t) {
      const auto [alone, own_cache] = test.run(t, 1);
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + t * test.cols()));
      for (int32_t h = 0; h < 2 * c.kv_heads; ++h) EXPECT_EQ(test.cached(own_cache, t, h), test.cached(cache, t, h));
    }
  }
}

TEST(RopeCache, a_padding_row_writes_nothing_to_the_cache) {
  TestDevice device;
  RopeTest test(kCases[0]);
  for (size_t t = 0; t < 5; ++t) test.set_slot(t, -1);
  const auto [qkv, cache] = test.run(0, 5);
  EXPECT_EQ(std::count(cache.begin(), cache.end(), 77.0F), static_cast<int64_t>(cache.size()));
}

TEST(RopeCache, e4m3_heads_are_the_rounded_heads_of_a_wide_cache) {
  for (const Case& wide : kCases) {
    for (const int32_t begin : {0, 1}) {
      TestDevice device({.seed = 3});
      Case c = wide;
      c.kv = DType::kF8E4m3;
      const RopeTest test(c);
      const std::vector<char> cache = test.run_bytes(begin, 1);
      for (int32_t h = 0; h < 2 * c.kv_heads; ++h) {
        const std::vector<double> expected = test.expected(begin, c.heads + h);
        double largest = 0.0;
        for (const double x : expected) largest = std::max(largest, std::fabs(x));
        const std::vector<double> actual = test.cached_fp8(cache, begin, h);
        for (size_t i = 0; i < expected.size(); ++i) {
          // Half a step of a three bit mantissa; below the smallest normal number, of that.
          EXPECT_NEAR(actual[i], expected[i], std::max(std::fabs(expected[i]) / 15.9, largest / 448 / 500))
              << "head_dim " << c.head_dim << " head " << h << " element " << i;
        }
      }
    }
  }
}

#ifdef SERAPH_CUDA_SIM
TEST(RopeCache, moves_each_byte_once) {
  TestDevice device;
  const Case c = {14, 2, 128, 128, 16, 3, DType::kBf16, DType::kBf16, false};
  RopeTest(c).run(0, 3);
  const sim::LaunchStats& stats = device.last_launch();
  EXPECT_EQ(stats.global_bytes_written, 3 * 18 * 128 * 2);
  EXPECT_EQ(stats.global_bytes_read, 3 * 18 * 128 * 2 + 3 * 128 * 4 + 3 * 4);
  EXPECT_LE(stats.sectors_ratio(), 1.1);  // the rows of this qkv begin within a sector
}
#endif

TEST(RopeCache, bad_shapes_are_refused) {
  TestDevice device;
  cuda::RopeCacheLaunch args;
  args.shape = {1, 1, 64, 16, DType::kF16};
  args.num_heads = 1;
  args.qkv = {nullptr, DType::kF16, 1, 100, 100};
  EXPECT_EQ(cuda::rope_cache(args, nullptr).code, cuda::kErrorInvalidValue);
  args.qkv.cols = 192;
  args.rotary_dim = 66;
  EXPECT_EQ(cuda::rope_cache(args, nullptr).code, cuda::kErrorInvalidValue);
}

}  // namespace
}  // namespace seraph::cuda_test
