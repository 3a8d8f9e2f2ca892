// A batch of sequences over a paged cache for the attention kernels, and the double-precision truth of every row.
// Blocks lie in shuffled order between blocks full of NaN; so does everything behind a sequence's context.
#pragma once

#include <algorithm>

#include "tests/kernels/cuda/device_tensor.h"

namespace seraph::cuda_test {

struct AttentionShape {
  int32_t heads;
  int32_t kv_heads;
  int32_t head_dim;
  int32_t block_tokens;
  int32_t window;
  DType dtype;
};

/// A sequence: its context, and how many rows at its end ask.
struct AttentionSequence {
  int32_t context;
  int32_t rows;
  uint32_t seed;  // of its values
};

class AttentionBatch {
 public:
  static constexpr float kScale = 0.21F;
  static constexpr int32_t kLayers = 2;
  static constexpr int32_t kLayer = 1;

  AttentionBatch(const AttentionShape& shape, const std::vector<AttentionSequence>& sequences)
      : shape_(shape), sequences_(sequences) {
    kv_shape_ = {kLayers, shape.kv_heads, shape.head_dim, shape.block_tokens, shape.dtype};
    for (const AttentionSequence& s : sequences) {
      stride_ = std::max(stride_, (s.context + shape.block_tokens - 1) / shape.block_tokens);
    }
    num_blocks_ = static_cast<int32_t>(sequences.size()) * stride_ * 2 + 1;
    std::vector<int32_t> free;
    for (int32_t b = 1; b < num_blocks_; b += 2) free.push_back(b);
    std::shuffle(free.begin(), free.end(), std::mt19937(3));
    tables_.assign(sequences.size() * static_cast<size_t>(stride_), -1);
    cache_.assign(static_cast<size_t>(block_elements() * num_blocks_), std::nanf(""));
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

  std::vector<double> expected(size_t sequence, int32_t row, int32_t head) const {
    const AttentionSequence& s = sequences_[sequence];
    const int32_t position = s.context - s.rows + row;
    const int32_t first = shape_.window > 0 ? std::max(0, position - shape_.window + 1) : 0;
    const int32_t kv_head = head / (shape_.heads / shape_.kv_heads);
    std::vector<double> scores;
    for (int32_t t = first; t <= position; ++t) {
      double score = 0.0;
      for (int32_t i = 0; i < shape_.head_dim; ++i) {
        score += static_cast<double>(value(s, 0, position, head, i)) * value(s, 1, t, kv_head, i);
      }
      scores.push_back(score * kScale);
    }
    const double largest = *std::max_element(scores.begin(), scores.end());
    std::vector<double> out(static_cast<size_t>(shape_.head_dim), 0.0);
    double sum = 0.0;
    for (int32_t t = first; t <= position; ++t) {
      const double weight = std::exp(scores[static_cast<size_t>(t - first)] - largest);
      for (int32_t i = 0; i < shape_.head_dim; ++i) {
        out[static_cast<size_t>(i)] += weight * value(s, 2, t, kv_head, i);
      }
      sum += weight;
    }
    for (double& x : out) x /= sum;
    return out;
  }

  int64_t num_rows() const { return row_begin_.back(); }
  int64_t cols() const { return int64_t{shape_.heads} * shape_.head_dim; }
  int64_t block_elements() const {
    return int64_t{kLayers} * 2 * shape_.kv_heads * shape_.block_tokens * shape_.head_dim;
  }
  const AttentionShape& shape() const { return shape_; }
  const KvShape& kv_shape() const { return kv_shape_; }
  const std::vector<AttentionSequence>& sequences() const { return sequences_; }
  const std::vector<float>& queries() const { return queries_; }
  const std::vector<float>& cache() const { return cache_; }
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
      for (int32_t plane = 0; plane < 2 * shape_.kv_heads; ++plane) {
        const int64_t begin =
            block * block_elements() +
            ((int64_t{kLayer} * 2 * shape_.kv_heads + plane) * shape_.block_tokens + token % shape_.block_tokens) *
                shape_.head_dim;
        for (int32_t i = 0; i < shape_.head_dim; ++i) {
          cache_[static_cast<size_t>(begin + i)] =
              value(s, plane < shape_.kv_heads ? 1 : 2, token, plane % shape_.kv_heads, i);
        }
      }
    }
    for (int32_t row = 0; row < s.rows; ++row) {
      for (int32_t h = 0; h < shape_.heads; ++h) {
        for (int32_t i = 0; i < shape_.head_dim; ++i) {
          queries_.push_back(value(s, 0, s.context - s.rows + row, h, i));
        }
      }
    }
    contexts_.push_back(s.context);
    row_begin_.push_back(row_begin_.back() + s.rows);
  }

  AttentionShape shape_;
  std::vector<AttentionSequence> sequences_;
  KvShape kv_shape_;
  int32_t stride_ = 1;
  int32_t num_blocks_ = 0;
  std::vector<int32_t> tables_;
  std::vector<float> cache_;
  std::vector<float> queries_;
  std::vector<int32_t> row_begin_;
  std::vector<int32_t> contexts_;
};

}  // namespace seraph::cuda_test
