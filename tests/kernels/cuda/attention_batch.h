// A batch of sequences over a paged cache for the attention kernels, and the double-precision truth of every row.
// Blocks lie in shuffled order between blocks full of NaN; so does everything behind a sequence's context.
#pragma once

#include <algorithm>
#include <map>
#include <tuple>

#include "tests/kernels/cuda/device_tensor.h"

namespace seraph::cuda_test {

struct AttentionShape {
  int32_t heads;
  int32_t kv_heads;
  int32_t head_dim;
  int32_t block_tokens;
  int32_t window;
  DType dtype;
  bool fp8 = false;  // keys and values in e4m3
};

/// A sequence: its context, and how many rows at its end ask.
struct AttentionSequence {
  int32_t context;
  int32_t rows;
  uint32_t seed;                      // of its values
  std::vector<int32_t> parents = {};  // of a tree's rows; empty: a line
  std::vector<int32_t> names = {};    // tokens whose values the rows have; empty: those at their places

  int32_t before() const { return context - rows; }
  /// The rows that a row sees, itself last.
  std::vector<int32_t> path(int32_t row) const {
    std::vector<int32_t> rows_seen;
    for (int32_t i = row; i >= 0; i = parents.empty() ? i - 1 : parents[static_cast<size_t>(i)]) {
      rows_seen.insert(rows_seen.begin(), i);
    }
    return rows_seen;
  }
  int32_t name(int32_t token) const {
    return token < before() || names.empty() ? token : names[static_cast<size_t>(token - before())];
  }
};

/// A head as a cache of e4m3 keeps it.
struct Fp8Head {
  uint16_t scale = 0;
  std::vector<uint8_t> bytes = {};
};
inline Fp8Head quantise(const std::vector<float>& x) {
  float largest = 0.0F;
  for (const float v : x) largest = std::max(largest, std::fabs(v));
  Fp8Head head;
  head.scale = static_cast<uint16_t>((cuda::float_bits(largest / 448.0F) + 0xFFFFU) >> 16);
  const float scale = cuda::to_float(cuda::bf16_t{head.scale});
  for (const float v : x) head.bytes.push_back(cuda::from_float<cuda::fp8_t>(scale == 0.0F ? 0.0F : v / scale).bits);
  return head;
}

class AttentionBatch {
 public:
  static constexpr float kScale = 0.21F;
  static constexpr int32_t kLayers = 2;
  static constexpr int32_t kLayer = 1;

  AttentionBatch(const AttentionShape& shape, const std::vector<AttentionSequence>& sequences)
      : shape_(shape), sequences_(sequences) {
    kv_shape_ = {kLayers, shape.kv_heads, shape.head_dim, shape.block_tokens, shape.fp8 ? DType::kF8E4m3 : shape.dtype};
    for (const AttentionSequence& s : sequences) {
      stride_ = std::max(stride_, (s.context + shape.block_tokens - 1) / shape.block_tokens);
    }
    num_blocks_ = static_cast<int32_t>(sequences.size()) * stride_ * 2 + 1;
    std::vector<int32_t> free;
    for (int32_t b = 1; b < num_blocks_; b += 2) free.push_back(b);
    std::shuffle(free.begin(), free.end(), std::mt19937(3));
    tables_.assign(sequences.size() * static_cast<size_t>(stride_), -1);
    cache_.assign(static_cast<size_t>(block_bytes() * num_blocks_), static_cast<char>(0xFF));
    row_begin_.push_back(0);
    for (size_t s = 0; s < sequences.size(); ++s) fill(s, free);
  }

  /// Element `i` of a query head, or of a key (kind 1) or value (kind 2) head of a token.
  float value(const AttentionSequence& s, int32_t kind, int32_t token, int32_t head, int32_t i) const {
    const auto at = static_cast<uint32_t>(((token * 3 + kind) * 64 + head) * 512 + i);
    uint32_t x = (at + s.seed * 0x9E3779B9U) * 0x85EBCA6BU;
    x = (x ^ x >> 13) * 0xC2B2AE35U;
    x ^= x >> 16;
    return rounded(static_cast<float>(static_cast<int32_t>(x)) * 0x1p-31F * (kind == 2 ? 1.0F : 2.0F), shape_.dtype);
  }

  /// A key (kind 1) or value (kind 2) head of a token as the cache holds it.
  const std::vector<float>& cached(const AttentionSequence& s, int32_t kind, int32_t token, int32_t head) const {
    std::vector<float>& known = heads_[{s.seed, kind, token, head}];
    if (!known.empty()) return known;
    for (int32_t i = 0; i < shape_.head_dim; ++i) known.push_back(value(s, kind, token, head, i));
    if (!shape_.fp8) return known;
    const Fp8Head quantised = quantise(known);
    for (size_t i = 0; i < known.size(); ++i) {
      known[i] = cuda::to_float(cuda::fp8_t{quantised.bytes[i]}) * cuda::to_float(cuda::bf16_t{quantised.scale});
    }
    return known;
  }

  std::vector<double> expected(size_t sequence, int32_t row, int32_t head) const {
    const AttentionSequence& s = sequences_[sequence];
    std::vector<int32_t> tokens;
    for (int32_t t = 0; t < s.before(); ++t) tokens.push_back(t);
    for (const int32_t ancestor : s.path(row)) tokens.push_back(s.name(s.before() + ancestor));
    const auto position = static_cast<int32_t>(tokens.size()) - 1;
    const int32_t first = shape_.window > 0 ? std::max(0, position - shape_.window + 1) : 0;
    tokens.erase(tokens.begin(), tokens.begin() + first);
    const int32_t kv_head = head / (shape_.heads / shape_.kv_heads);
    std::vector<double> scores;
    for (const int32_t t : tokens) {
      const std::vector<float>& key = cached(s, 1, t, kv_head);
      double score = 0.0;
      for (int32_t i = 0; i < shape_.head_dim; ++i) {
        score += static_cast<double>(value(s, 0, tokens.back(), head, i)) * key[static_cast<size_t>(i)];
      }
      scores.push_back(score * kScale);
    }
    const double largest = *std::max_element(scores.begin(), scores.end());
    std::vector<double> out(static_cast<size_t>(shape_.head_dim), 0.0);
    double sum = 0.0;
    for (size_t t = 0; t < tokens.size(); ++t) {
      const double weight = std::exp(scores[t] - largest);
      const std::vector<float>& values = cached(s, 2, tokens[t], kv_head);
      for (size_t i = 0; i < out.size(); ++i) out[i] += weight * values[i];
      sum += weight;
    }
    for (double& x : out) x /= sum;
    return out;
  }

  int64_t num_rows() const { return row_begin_.back(); }
  int64_t cols() const { return int64_t{shape_.heads} * shape_.head_dim; }
  int64_t block_bytes() const { return kLayers * kv_layer_bytes(kv_shape_); }
  const AttentionShape& shape() const { return shape_; }
  const KvShape& kv_shape() const { return kv_shape_; }
  const std::vector<AttentionSequence>& sequences() const { return sequences_; }
  const std::vector<float>& queries() const { return queries_; }
  const std::vector<char>& cache() const { return cache_; }
  const std::vector<uint64_t>& paths() const { return paths_; }
  const std::vector<int32_t>& row_begin() const { return row_begin_; }
  const std::vector<int32_t>& contexts() const { return contexts_; }
  const std::vector<int32_t>& tables() const { return tables_; }
  int32_t blocks_stride() const { return stride_; }
  int32_t num_blocks() const { return num_blocks_; }

  /// The values of one row of `out`.
  std::vector<float> row_of(const std::vector<float>& out, size_t sequence, int32_t row) const {
    const auto begin = out.begin() + (row_begin_[sequence] + row) * cols();
    return {begin, begin + cols()};
  }

  /// Compares some rows of every sequence with the truth.
  void expect_right(const std::vector<float>& out, const std::string& what) const {
    for (size_t s = 0; s < sequences_.size(); ++s) {
      for (int32_t row = 0; row < sequences_[s].rows; row += row < 3 || row > sequences_[s].rows - 4 ? 1 : 11) {
        const std::vector<float> actual = row_of(out, s, row);
        for (int32_t h = 0; h < shape_.heads; ++h) {
          const auto begin = actual.begin() + h * shape_.head_dim;
          expect_close(expected(s, row, h), {begin, begin + shape_.head_dim},
                       shape_.dtype == DType::kF16 ? 2e-3 : 1.5e-2,
                       what + " sequence " + std::to_string(s) + " row " + std::to_string(row));
        }
      }
    }
  }

 private:
  void fill(size_t index, std::vector<int32_t>& free) {
    const AttentionSequence& s = sequences_[index];
    const int32_t first = shape_.window > 0 ? std::max(0, s.context - s.rows - shape_.window + 1) : 0;
    for (int32_t token = 0; token < s.context; ++token) {
      int32_t& block = tables_[index * static_cast<size_t>(stride_) + static_cast<size_t>(token / shape_.block_tokens)];
      if (token % shape_.block_tokens == 0) {
        block = free.back();
        free.pop_back();
      }
      if (token < first) continue;  // keys that nobody sees any more may be anything
      for (int32_t plane = 0; plane < 2 * shape_.kv_heads; ++plane) write(s, token, block, plane);
    }
    for (int32_t row = 0; row < s.rows; ++row) {
      uint64_t path = 0;
      for (const int32_t ancestor : s.path(row)) path |= ancestor < 64 ? uint64_t{1} << ancestor : 0;
      paths_.push_back(s.parents.empty() ? 0 : path);
    }
    for (int32_t row = 0; row < s.rows; ++row) {
      for (int32_t h = 0; h < shape_.heads; ++h) {
        for (int32_t i = 0; i < shape_.head_dim; ++i) {
          queries_.push_back(value(s, 0, s.name(s.before() + row), h, i));
        }
      }
    }
    contexts_.push_back(s.context);
    row_begin_.push_back(row_begin_.back() + s.rows);
  }

  /// A key head (planes of keys come first) or value head of a token to its place.
  void write(const AttentionSequence& s, int32_t token, int32_t block, int32_t plane) {
    const int32_t kind = plane < shape_.kv_heads ? 1 : 2;
    const int64_t index = int64_t{plane} * shape_.block_tokens + token % shape_.block_tokens;
    char* layer = cache_.data() + block * block_bytes() + kLayer * kv_layer_bytes(kv_shape_);
    std::vector<float> head;
    for (int32_t i = 0; i < shape_.head_dim; ++i) {
      head.push_back(value(s, kind, s.name(token), plane % shape_.kv_heads, i));
    }
    if (!shape_.fp8) {
      const std::vector<char> bytes = cpu_test::stored(head, shape_.dtype);
      std::memcpy(layer + index * static_cast<int64_t>(bytes.size()), bytes.data(), bytes.size());
      return;
    }
    const Fp8Head quantised = quantise(head);
    std::memcpy(layer + index * shape_.head_dim, quantised.bytes.data(), quantised.bytes.size());
    const int64_t scales = int64_t{2} * shape_.kv_heads * shape_.block_tokens * shape_.head_dim;
    std::memcpy(layer + scales + index * 2, &quantised.scale, 2);
  }

  AttentionShape shape_;
  std::vector<AttentionSequence> sequences_;
  mutable std::map<std::tuple<uint32_t, int32_t, int32_t, int32_t>, std::vector<float>> heads_;
  std::vector<uint64_t> paths_;
  KvShape kv_shape_;
  int32_t stride_ = 1;
  int32_t num_blocks_ = 0;
  std::vector<int32_t> tables_;
  std::vector<char> cache_;
  std::vector<float> queries_;
  std::vector<int32_t> row_begin_;
  std::vector<int32_t> contexts_;
};

}  // namespace seraph::cuda_test
