// Rows that branch: attention() gives each the bits that it has when only its ancestors were there, in a line.
#include <algorithm>

#include "tests/kernels/cpu/support.h"

namespace seraph::cpu_test {
namespace {

struct Case {
  int32_t heads;
  int32_t kv_heads;
  int32_t head_dim;
  int32_t block_tokens;
  int32_t window;
  int32_t context;  // before the tree
  DType kv;
};

const Case kCases[] = {
    {4, 2, 64, 16, 0, 150, DType::kF32},  {7, 1, 64, 16, 0, 63, DType::kBf16}, {2, 2, 80, 8, 33, 128, DType::kF16},
    {6, 2, 20, 24, 10, 61, DType::kF32},  {8, 1, 128, 32, 0, 0, DType::kBf16}, {4, 2, 64, 16, 0, 200, DType::kF8E4m3},
    {3, 1, 96, 8, 5, 77, DType::kF8E4m3},
};

/// A cache of one sequence, in scattered blocks.
class TreeCache {
 public:
  TreeCache(const Case& c, Backend& backend, int32_t tokens) : test_(c), backend_(backend) {
    cache_.shape = {1, c.kv_heads, c.head_dim, c.block_tokens, c.kv};
    const int32_t needed = (tokens + c.block_tokens - 1) / c.block_tokens;
    cache_.num_blocks = 2 * needed;
    cache_.storage = backend.allocate(backend.kv_block_bytes(cache_.shape) * cache_.num_blocks);
    std::memset(cache_.storage.data(), 0xFF, static_cast<size_t>(cache_.storage.bytes()));
    for (int32_t b = 0; b < needed; ++b) blocks_.push_back(2 * (needed - 1 - b) + 1);
  }

  /// Appends rows behind the tokens that are there. `qkv` has a row for each; returns what attention writes.
  std::vector<std::vector<char>> step(Array& qkv, int32_t rows, const std::vector<int32_t>& parents = {}) {
    std::vector<int32_t> slots;
    for (int32_t t = tokens_; t < tokens_ + rows; ++t) {
      slots.push_back(blocks_[static_cast<size_t>(t / test_.block_tokens)] * test_.block_tokens +
                      t % test_.block_tokens);
    }
    tokens_ += rows;
    backend_.rope_cache_write(
        {.qkv = qkv.tensor(), .num_heads = test_.heads, .slots = slots, .cache = &cache_, .layer = 0});
    Array out(rows, test_.heads * test_.head_dim);
    const int32_t row_begin[] = {0, rows};
    const int32_t context[] = {tokens_};
    backend_.attention({.q = qkv.tensor().columns(0, test_.heads * test_.head_dim),
                        .out = out.tensor(),
                        .cache = &cache_,
                        .num_heads = test_.heads,
                        .scale = 0.2F,
                        .window = test_.window,
                        .row_begin = row_begin,
                        .context_tokens = context,
                        .block_tables = blocks_,
                        .blocks_stride = static_cast<int32_t>(blocks_.size()),
                        .parents = parents});
    std::vector<std::vector<char>> result;
    for (int32_t r = 0; r < rows; ++r) result.push_back(out.row_bytes(r));
    return result;
  }

 private:
  const Case test_;
  Backend& backend_;
  KvCache cache_;
  std::vector<int32_t> blocks_;
  int32_t tokens_ = 0;
};

class TreeRows {
 public:
  TreeRows(const Case& c, int32_t rows) : test_(c), cols_((c.heads + 2 * c.kv_heads) * c.head_dim) {
    values_ = random_values(static_cast<size_t>((c.context + rows) * cols_), 17, 1.2F);
  }
  /// Tokens of the context (rows < 0 none) followed by the tree's rows in `picked`.
  Array context() const { return rows_of(0, {}, test_.context); }
  Array picked(const std::vector<int32_t>& rows) const {
    return rows_of(test_.context, rows, static_cast<int32_t>(rows.size()));
  }

 private:
  Array rows_of(int32_t first, const std::vector<int32_t>& rows, int32_t count) const {
    std::vector<float> values;
    for (int32_t i = 0; i < count; ++i) {
      const auto at = values_.begin() + (first + (rows.empty() ? i : rows[static_cast<size_t>(i)])) * cols_;
      values.insert(values.end(), at, at + cols_);
    }
    return Array::of(values, count, cols_);
  }

  const Case test_;
  int64_t cols_;
  std::vector<float> values_;
};

std::vector<int32_t> path_of(const std::vector<int32_t>& parents, int32_t row) {
  std::vector<int32_t> path;
  for (int32_t i = row; i >= 0; i = parents[static_cast<size_t>(i)]) path.insert(path.begin(), i);
  return path;
}

/// The tree's rows with their parents, against each path alone.
void expect_tree_equals_paths(const Case& c, const std::string& isa, const std::vector<int32_t>& parents) {
  const auto backend = make_backend(isa, 2);
  const auto rows = static_cast<int32_t>(parents.size());
  const TreeRows values(c, rows);
  std::vector<int32_t> all;
  for (int32_t i = 0; i < rows; ++i) all.push_back(i);
  TreeCache tree(c, *backend, c.context + rows);
  Array context = values.context();
  if (c.context > 0) tree.step(context, c.context);
  Array tree_rows = values.picked(all);
  const auto actual = tree.step(tree_rows, rows, parents);
  for (int32_t row = 0; row < rows; ++row) {
    const std::vector<int32_t> path = path_of(parents, row);
    TreeCache line(c, *backend, c.context + rows);
    Array again = values.context();
    if (c.context > 0) line.step(again, c.context);
    Array path_rows = values.picked(path);
    const auto expected = line.step(path_rows, static_cast<int32_t>(path.size()));
    ASSERT_EQ(actual[static_cast<size_t>(row)], expected.back())
        << isa << " head_dim " << c.head_dim << " context " << c.context << " row " << row;
  }
}

TEST(AttentionTree, a_row_has_the_bits_of_its_path_alone) {
  for (const std::string& isa : isa_levels()) {
    for (const Case& c : kCases) {
      expect_tree_equals_paths(c, isa, {-1, 0, 1, 2, 1, 4, 0, 6, 0, -1, 9});
    }
  }
}

TEST(AttentionTree, parents_in_a_line_change_nothing) { expect_tree_equals_paths(kCases[0], "", {-1, 0, 1, 2, 3, 4}); }

TEST(AttentionTree, a_tree_may_have_as_many_rows_as_a_word_has_bits) {
  std::vector<int32_t> parents;
  for (int32_t i = 0; i < kTreeRowsMax; ++i) parents.push_back(i % 5 == 0 ? i / 5 - 1 : i - 1);
  expect_tree_equals_paths(kCases[0], "", parents);
  expect_tree_equals_paths(kCases[3], "", parents);
}

}  // namespace
}  // namespace seraph::cpu_test
