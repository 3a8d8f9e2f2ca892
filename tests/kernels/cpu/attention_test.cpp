// rope_cache_write() and attention() against plain double-precision code, and their promise that a row's
// bits do not depend on how its sequence was cut into steps, on its mates or on the threads.
#include <algorithm>

#include "tests/kernels/cpu/support.h"

namespace seraph::cpu_test {
namespace {

struct Case {
  int32_t heads;
  int32_t kv_heads;
  int32_t head_dim;
  int32_t rotary_dim;
  int32_t block_tokens;
  int32_t window;
  int32_t tokens;
  DType kv;
  bool norms;
};

const Case kCases[] = {
    {4, 2, 64, 64, 16, 0, 150, DType::kF32, false},  {7, 1, 64, 64, 16, 0, 97, DType::kBf16, false},
    {2, 2, 80, 80, 16, 33, 150, DType::kF32, false}, {8, 1, 96, 72, 8, 0, 70, DType::kF16, false},
    {4, 1, 128, 128, 16, 0, 300, DType::kF32, true}, {2, 1, 256, 256, 32, 20, 130, DType::kBf16, true},
    {3, 3, 20, 20, 24, 0, 66, DType::kF32, false},   {6, 2, 64, 32, 16, 64, 200, DType::kBf16, true},
    {5, 1, 16, 16, 16, 1, 40, DType::kF32, false},   {1, 1, 8, 8, 8, 0, 17, DType::kF16, false},
    {7, 1, 64, 64, 16, 0, 97, DType::kF8E4m3, true}, {4, 2, 100, 40, 8, 30, 70, DType::kF8E4m3, false},
};

constexpr float kEps = 1e-5F;
constexpr int32_t kLayers = 2;

/// What a cache of e4m3 makes of a head: by search among all of its numbers, with the scale of the contract.
std::vector<double> quantised(const std::vector<double>& x) {
  double largest = 0.0;
  for (const double value : x) largest = std::max(largest, std::fabs(value));
  double scale = std::ldexp(1.0, -126);
  const auto bits = static_cast<uint32_t>(std::bit_cast<uint32_t>(static_cast<float>(largest / 448.0)) >> 16);
  for (uint32_t step = 0; step < 2 && scale * 448.0 < largest; ++step)
    scale = std::bit_cast<float>((bits + step) << 16);
  std::vector<double> out;
  for (const double value : x) {
    double best = 0.0;
    for (int32_t code = 0; code < 127; ++code) {
      const double magnitude = code < 8 ? code * 0x1p-9 : (8 + code % 8) * std::ldexp(1.0, code / 8 - 10);
      for (const double y : {magnitude * scale, -magnitude * scale}) {
        if (std::fabs(y - value) < std::fabs(best - value)) best = y;
      }
    }
    out.push_back(best);
  }
  return out;
}

/// One sequence whose blocks lie in shuffled order behind blocks full of NaN.
class Sequence {
 public:
  Sequence(const Case& c, Backend& backend) : test_(c), backend_(backend) {
    cache_.shape = {kLayers, c.kv_heads, c.head_dim, c.block_tokens, c.kv};
    const int32_t needed = (c.tokens + c.block_tokens - 1) / c.block_tokens;
    cache_.num_blocks = 2 * needed + 1;
    cache_.storage = backend.allocate(backend.kv_block_bytes(cache_.shape) * cache_.num_blocks);
    std::memset(cache_.storage.data(), 0xFF, static_cast<size_t>(cache_.storage.bytes()));
    for (int32_t b = 0; b < needed; ++b) blocks_.push_back(2 * b + 1);
    std::shuffle(blocks_.begin(), blocks_.end(), std::mt19937(11));
    cols_ = (c.heads + 2 * c.kv_heads) * c.head_dim;
    qkv_ = random_values(static_cast<size_t>(c.tokens) * static_cast<size_t>(cols_), 21, 1.5F);
    q_norm_ = random_values(static_cast<size_t>(c.head_dim), 22);
    k_norm_ = random_values(static_cast<size_t>(c.head_dim), 23);
    for (int32_t t = 0; t < c.tokens; ++t) {
      for (int32_t i = 0; i < c.rotary_dim; ++i) {
        const int32_t half = c.rotary_dim / 2;
        const double angle = t * std::pow(1000.0, -2.0 * (i % half) / c.rotary_dim);
        cos_sin_.push_back(static_cast<float>(i < half ? std::cos(angle) : std::sin(angle)));
      }
    }
  }

  /// Tokens [begin, end) in one step; their attention goes to `out`.
  void step(int32_t begin, int32_t end, Array& out) {
    const int32_t rows = end - begin;
    const std::vector<float> mine(qkv_.begin() + begin * cols_, qkv_.begin() + end * cols_);
    Array qkv = Array::of(mine, rows, cols_, DType::kF32, 5);
    std::vector<int32_t> slots;
    for (int32_t t = begin; t < end; ++t) {
      slots.push_back(blocks_[static_cast<size_t>(t / test_.block_tokens)] * test_.block_tokens +
                      t % test_.block_tokens);
    }
    backend_.rope_cache_write({.qkv = qkv.tensor(),
                               .cos_sin = cos_sin_.data() + begin * test_.rotary_dim,
                               .rotary_dim = test_.rotary_dim,
                               .q_norm = test_.norms ? q_norm_.data() : nullptr,
                               .k_norm = test_.norms ? k_norm_.data() : nullptr,
                               .norm_eps = kEps,
                               .num_heads = test_.heads,
                               .slots = slots,
                               .cache = &cache_,
                               .layer = 1});
    const int32_t row_begin[] = {0, rows};
    const int32_t context[] = {end};
    backend_.attention({.q = qkv.tensor().columns(0, test_.heads * test_.head_dim),
                        .out = out.rows(begin, rows),
                        .cache = &cache_,
                        .layer = 1,
                        .num_heads = test_.heads,
                        .scale = 0.3F,
                        .window = test_.window,
                        .row_begin = row_begin,
                        .context_tokens = context,
                        .block_tables = blocks_,
                        .blocks_stride = static_cast<int32_t>(blocks_.size())});
  }

  /// From now on the token's keys and values are not finite.
  void poison(int32_t token) {
    const auto row = qkv_.begin() + token * cols_;
    std::fill(row + test_.heads * test_.head_dim, row + cols_, std::nanf(""));
  }

  Array output() const { return {test_.tokens, test_.heads * test_.head_dim, DType::kF32, 9}; }

  /// Head `head` (of q, then k, then v) of a token as the cache or the query has it.
  std::vector<double> vector_of(int32_t token, int32_t head, bool quantises = true) const {
    const float* x = qkv_.data() + token * cols_ + head * test_.head_dim;
    std::vector<double> v(x, x + test_.head_dim);
    const bool is_q = head < test_.heads;
    const bool is_v = head >= test_.heads + test_.kv_heads;
    if (!is_v) rotate(v, token, is_q ? q_norm_ : k_norm_);
    if (!is_q && test_.kv == DType::kF8E4m3) return quantises ? quantised(v) : v;
    if (!is_q) {
      for (double& value : v) value = rounded(static_cast<float>(value), test_.kv);
    }
    return v;
  }

  /// With the keys and values that the cache holds, or as they were before it rounded them.
  std::vector<double> expected(int32_t token, int32_t head, bool quantises = true) const {
    const int32_t kv_head = head / (test_.heads / test_.kv_heads);
    const std::vector<double> q = vector_of(token, head);
    const int32_t first = test_.window > 0 ? std::max(0, token - test_.window + 1) : 0;
    std::vector<double> weights;
    double largest = -1e300;
    for (int32_t t = first; t <= token; ++t) {
      const std::vector<double> k = vector_of(t, test_.heads + kv_head, quantises);
      double score = 0.0;
      for (size_t i = 0; i < q.size(); ++i) score += q[i] * k[i];
      weights.push_back(score * 0.3);
      largest = std::max(largest, weights.back());
    }
    std::vector<double> out(q.size(), 0.0);
    double sum = 0.0;
    for (int32_t t = first; t <= token; ++t) {
      const double weight = std::exp(weights[static_cast<size_t>(t - first)] - largest);
      const std::vector<double> v = vector_of(t, test_.heads + test_.kv_heads + kv_head, quantises);
      for (size_t i = 0; i < q.size(); ++i) out[i] += weight * v[i];
      sum += weight;
    }
    for (double& value : out) value /= sum;
    return out;
  }

 private:
  void rotate(std::vector<double>& v, int32_t token, const std::vector<float>& norm) const {
    if (test_.norms) {
      double squares = 0.0;
      for (const double value : v) squares += value * value;
      const double scale = 1.0 / std::sqrt(squares / test_.head_dim + kEps);
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
  }

  const Case test_;
  Backend& backend_;
  KvCache cache_;
  std::vector<int32_t> blocks_;
  int32_t cols_ = 0;
  std::vector<float> qkv_;
  std::vector<float> q_norm_;
  std::vector<float> k_norm_;
  std::vector<float> cos_sin_;
};

TEST(Attention, agrees_with_plain_softmax_attention) {
  for (const std::string& isa : isa_levels()) {
    const auto backend = make_backend(isa, 2);
    for (const Case& c : kCases) {
      Sequence sequence(c, *backend);
      Array out = sequence.output();
      sequence.step(0, c.tokens, out);
      for (int32_t t = 0; t < c.tokens; t += t < 20 || t > c.tokens - 4 ? 1 : 13) {
        for (int32_t h = 0; h < c.heads; ++h) {
          std::vector<double> actual;
          for (int32_t i = 0; i < c.head_dim; ++i) actual.push_back(out.get(t, h * c.head_dim + i));
          // A key that rounds the other way in 16 bit moves the scores.
          const double tolerance = c.kv == DType::kF32 ? 2e-5 : 2e-2;
          expect_close(sequence.expected(t, h), actual, tolerance,
                       isa + " head_dim " + std::to_string(c.head_dim) + " token " + std::to_string(t));
        }
      }
    }
  }
}

TEST(Attention, e4m3_keys_and_values_cost_a_bounded_error) {
  const auto backend = make_backend("");
  for (const Case& c : kCases) {
    if (c.kv != DType::kF8E4m3) continue;
    Sequence sequence(c, *backend);
    Array out = sequence.output();
    sequence.step(0, c.tokens, out);
    double error = 0.0;
    double size = 0.0;
    for (int32_t t = 0; t < c.tokens; t += 7) {
      const std::vector<double> exact = sequence.expected(t, 0, false);
      for (size_t i = 0; i < exact.size(); ++i) {
        const double difference = out.get(t, static_cast<int64_t>(i)) - exact[i];
        error += difference * difference;
        size += exact[i] * exact[i];
      }
    }
    // An e4m3 number is off by 1/16 at most, by 1/40 on average; the scores' errors come on top.
    EXPECT_LT(std::sqrt(error / size), 0.08) << "head_dim " << c.head_dim;
    EXPECT_GT(std::sqrt(error / size), 0.001) << "head_dim " << c.head_dim;
  }
}

TEST(Attention, chunks_of_any_length_give_the_bits_of_the_whole) {
  for (const std::string& isa : isa_levels()) {
    const auto one = make_backend(isa, 1);
    const auto two = make_backend(isa, 2);
    for (const Case& c : kCases) {
      Sequence whole(c, *one);
      Array expected = whole.output();
      whole.step(0, c.tokens, expected);
      for (const int32_t chunk : {1, 5, 16, 37, 100}) {
        Sequence cut(c, *two);
        Array out = cut.output();
        for (int32_t begin = 0; begin < c.tokens; begin += chunk) {
          cut.step(begin, std::min(begin + chunk, c.tokens), out);
        }
        for (int32_t t = 0; t < c.tokens; ++t) {
          ASSERT_EQ(expected.row_bytes(t), out.row_bytes(t))
              << isa << " head_dim " << c.head_dim << " window " << c.window << " chunk " << chunk << " token " << t;
        }
      }
    }
  }
}

TEST(Attention, what_a_row_does_not_see_may_be_no_number) {
  for (const std::string& isa : isa_levels()) {
    const auto backend = make_backend(isa, 2);
    for (const Case& c : kCases) {
      Sequence clean(c, *backend);
      Array expected = clean.output();
      clean.step(0, c.tokens, expected);
      for (const int32_t bad : {c.tokens / 3, c.tokens - 3}) {
        Sequence sequence(c, *backend);
        sequence.poison(bad);
        Array out = sequence.output();
        sequence.step(0, c.tokens, out);
        for (int32_t t = 0; t < c.tokens; ++t) {
          const std::string where = isa + " head_dim " + std::to_string(c.head_dim) + " window " +
                                    std::to_string(c.window) + " bad " + std::to_string(bad) + " token " +
                                    std::to_string(t);
          if (t < bad || (c.window > 0 && t >= bad + c.window)) {
            ASSERT_EQ(expected.row_bytes(t), out.row_bytes(t)) << where;
          } else if (c.kv != DType::kF8E4m3) {
            EXPECT_TRUE(std::isnan(out.get(t, 0))) << where;
          }
        }
      }
    }
  }
}

TEST(Attention, sequences_of_a_batch_do_not_see_each_other) {
  for (const std::string& isa : isa_levels()) {
    const auto backend = make_backend(isa, 2);
    const int32_t heads = 4;
    const int32_t dim = 64;
    KvCache cache;
    cache.shape = {1, 2, dim, 16, DType::kF32};
    cache.num_blocks = 40;
    cache.storage = backend->allocate(backend->kv_block_bytes(cache.shape) * cache.num_blocks);
    std::memset(cache.storage.data(), 0xFF, static_cast<size_t>(cache.storage.bytes()));
    const std::vector<int32_t> lengths = {1, 40, 17, 100};
    std::vector<int32_t> tables(4 * 8, 0);
    std::vector<int32_t> row_begin = {0};
    std::vector<int32_t> slots;
    int32_t next = 0;
    for (size_t s = 0; s < 4; ++s) {
      for (int32_t t = 0; t < lengths[s]; ++t) {
        if (t % 16 == 0) tables[s * 8 + static_cast<size_t>(t / 16)] = next++;
        slots.push_back(tables[s * 8 + static_cast<size_t>(t / 16)] * 16 + t % 16);
      }
      row_begin.push_back(row_begin.back() + lengths[s]);
    }
    const int32_t rows = row_begin.back();
    Array qkv = Array::of(random_values(static_cast<size_t>(rows * 8 * dim), 31), rows, 8 * dim);
    const std::vector<float> cos_sin(static_cast<size_t>(rows * dim), 0.5F);
    backend->rope_cache_write({.qkv = qkv.tensor(),
                               .cos_sin = cos_sin.data(),
                               .rotary_dim = dim,
                               .num_heads = heads,
                               .slots = slots,
                               .cache = &cache,
                               .layer = 0});
    Array together(rows, heads * dim);
    AttentionArgs args = {.q = qkv.tensor().columns(0, heads * dim),
                          .out = together.tensor(),
                          .cache = &cache,
                          .num_heads = heads,
                          .row_begin = row_begin,
                          .context_tokens = lengths,
                          .block_tables = tables,
                          .blocks_stride = 8};
    backend->attention(args);
    for (size_t s = 0; s < 4; ++s) {
      Array alone(lengths[s], heads * dim);
      const int32_t border[] = {0, lengths[s]};
      args.q = qkv.rows(row_begin[s], lengths[s]).columns(0, heads * dim);
      args.out = alone.tensor();
      args.row_begin = border;
      args.context_tokens = std::span(lengths).subspan(s, 1);
      args.block_tables = std::span(tables).subspan(s * 8, 8);
      backend->attention(args);
      for (int32_t t = 0; t < lengths[s]; ++t) {
        ASSERT_EQ(alone.row_bytes(t), together.row_bytes(row_begin[s] + t)) << isa << " sequence " << s;
      }
    }
  }
}

TEST(Attention, what_cannot_run_is_refused_in_a_sentence) {
  const auto backend = make_backend("");
  EXPECT_EQ(backend->supports({1, 2, 64, 16, DType::kF32}, 14), "");
  EXPECT_NE(backend->supports({1, 2, 64, 12, DType::kF32}, 14), "");
  EXPECT_NE(backend->supports({1, 2, 1024, 16, DType::kF32}, 14), "");
  EXPECT_NE(backend->supports({1, 4, 64, 16, DType::kF32}, 14), "");
}

TEST(KvBlocks, a_block_of_e4m3_holds_a_scale_for_each_token_and_head) {
  const auto backend = make_backend("");
  EXPECT_EQ(backend->kv_block_bytes({3, 2, 64, 16, DType::kF8E4m3}), 3 * 2 * 2 * 16 * (64 + 2));
  EXPECT_EQ(backend->supports({1, 2, 64, 16, DType::kF8E4m3}, 14), "");
}

TEST(KvBlocks, a_copied_block_is_the_same_block) {
  const auto backend = make_backend("");
  KvCache cache;
  cache.shape = {3, 2, 20, 16, DType::kBf16};
  cache.num_blocks = 4;
  const int64_t bytes = backend->kv_block_bytes(cache.shape);
  EXPECT_EQ(bytes, 3 * 2 * 2 * 20 * 16 * 2);
  cache.storage = backend->allocate(bytes * 4);
  char* data = static_cast<char*>(cache.storage.data());
  for (int64_t i = 0; i < bytes; ++i) data[i] = static_cast<char>(i * 37);
  const int32_t from[] = {0, 0};
  const int32_t to[] = {3, 1};
  backend->copy_kv_blocks(cache, from, to);
  EXPECT_EQ(std::memcmp(data, data + 3 * bytes, static_cast<size_t>(bytes)), 0);
  EXPECT_EQ(std::memcmp(data, data + bytes, static_cast<size_t>(bytes)), 0);
  EXPECT_EQ(data[2 * bytes + 5], 0);
}

TEST(KvBlocks, what_was_swapped_out_comes_back_to_other_blocks) {
  const auto backend = make_backend("");
  KvCache cache;
  cache.shape = {2, 1, 20, 8, DType::kF8E4m3};
  cache.num_blocks = 6;
  const int64_t bytes = backend->kv_block_bytes(cache.shape);
  cache.storage = backend->allocate(bytes * cache.num_blocks);
  Buffer host = backend->allocate_host(bytes * 3);
  char* data = static_cast<char*>(cache.storage.data());
  for (int64_t i = 0; i < bytes * cache.num_blocks; ++i) data[i] = static_cast<char>(i * 37 + i / 251);
  const std::vector<char> before(data, data + bytes * cache.num_blocks);
  const int32_t out[] = {4, 0};
  const int32_t pool[] = {2, 0};
  const int32_t back[] = {1, 5};
  backend->swap_kv_blocks({.cache = &cache, .host = &host, .device_blocks = out, .host_blocks = pool});
  std::memset(data, 0, static_cast<size_t>(bytes * cache.num_blocks));
  backend->swap_kv_blocks(
      {.cache = &cache, .host = &host, .device_blocks = back, .host_blocks = pool, .to_host = false});
  EXPECT_EQ(std::memcmp(data + bytes, before.data() + 4 * bytes, static_cast<size_t>(bytes)), 0);
  EXPECT_EQ(std::memcmp(data + 5 * bytes, before.data(), static_cast<size_t>(bytes)), 0);
  EXPECT_EQ(data[2 * bytes], 0);
}

}  // namespace
}  // namespace seraph::cpu_test
