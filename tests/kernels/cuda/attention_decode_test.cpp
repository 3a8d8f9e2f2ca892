// attention_decode on the simulator against double precision, and its promise about bits.
#include "kernels/cuda/attention_decode.h"

#include "tests/kernels/cuda/attention_batch.h"

namespace seraph::cuda_test {
namespace {

const AttentionShape kShapes[] = {
    {14, 2, 64, 16, 0, DType::kBf16},
    {4, 4, 80, 16, 40, DType::kF16},
    {6, 2, 96, 8, 0, DType::kF16},
    {7, 1, 128, 16, 0, DType::kBf16},
    {4, 2, 128, 24, 300, DType::kF16},
    {20, 1, 64, 32, 0, DType::kF16},
    {2, 1, 256, 16, 150, DType::kBf16},
    {7, 1, 64, 16, 0, DType::kBf16, true},
    {4, 4, 80, 8, 40, DType::kF16, true},
    {6, 2, 96, 16, 0, DType::kF16, true},
    {7, 1, 128, 16, 0, DType::kBf16, true},
    {20, 1, 128, 24, 70, DType::kF16, true},
    {2, 1, 256, 16, 150, DType::kBf16, true},
};

std::vector<float> run_decode(const AttentionBatch& batch, int32_t num_blocks_grid) {
  const DeviceTensor q(batch.queries(), batch.num_rows(), batch.cols(), batch.shape().dtype, 8);
  const DeviceTensor out(std::vector<float>(batch.queries().size(), 7.0F), batch.num_rows(), batch.cols(),
                         batch.shape().dtype, 8);
  const DeviceArray<char> cache(batch.cache());
  const DeviceArray<int32_t> row_begin(batch.row_begin());
  const DeviceArray<int32_t> contexts(batch.contexts());
  const DeviceArray<int32_t> tables(batch.tables());
  const DeviceArray<uint64_t> paths(batch.paths());
  int32_t context_max = 0;
  for (const AttentionSequence& s : batch.sequences()) {
    context_max = std::max(context_max, s.context);
  }
  const auto num_sequences = static_cast<int32_t>(batch.sequences().size());
  const cuda::AttentionWorkspace plan = cuda::attention_decode_workspace(
      batch.kv_shape(), batch.shape().heads, 1, static_cast<int32_t>(batch.num_rows()), context_max);
  const DeviceArray<char> workspace(static_cast<size_t>(plan.bytes));
  EXPECT_TRUE(cuda::fill_async(workspace.data(), 0, plan.counters_bytes, nullptr).ok());
  const cuda::AttentionDecodeLaunch args = {.q = q.tensor(),
                                            .out = out.tensor(),
                                            .cache = cache.data(),
                                            .shape = batch.kv_shape(),
                                            .num_blocks = batch.num_blocks(),
                                            .layer = AttentionBatch::kLayer,
                                            .num_heads = batch.shape().heads,
                                            .scale = AttentionBatch::kScale,
                                            .window = batch.shape().window,
                                            .row_begin = row_begin.data(),
                                            .context_tokens = contexts.data(),
                                            .block_tables = tables.data(),
                                            .paths = paths.data(),
                                            .blocks_stride = batch.blocks_stride(),
                                            .num_sequences = num_sequences,
                                            .num_blocks_grid = num_blocks_grid,
                                            .workspace = workspace.data(),
                                            .workspace_bytes = plan.bytes};
  EXPECT_EQ(finish(cuda::attention_decode(args, nullptr)), "");
  const std::vector<float> first = out.values();
  // The counters are as they were: a second call with the same workspace gives the same bits.
  EXPECT_EQ(finish(cuda::attention_decode(args, nullptr)), "");
  EXPECT_EQ(out.values(), first);
  return first;
}

TEST(AttentionDecode, agrees_with_double_precision_at_ragged_lengths) {
  for (const AttentionShape& shape : kShapes) {
    TestDevice device;
    const int32_t split = cuda::attention_split_tokens(shape.head_dim);
    const AttentionBatch batch(shape,
                               {{1, 1, 1}, {split, 1, 2}, {split + 1, 1, 3}, {0, 0, 4}, {77, 1, 5}, {600, 1, 6}});
    batch.expect_right(run_decode(batch, 5), "head_dim " + std::to_string(shape.head_dim));
  }
}

TEST(AttentionDecode, drafts_are_rows_that_see_each_other_in_order) {
  for (const AttentionShape& shape : kShapes) {
    TestDevice device({.seed = 9});
    const AttentionBatch batch(shape, {{5, 5, 1}, {260, 6, 2}, {40, 1, 3}});
    batch.expect_right(run_decode(batch, 3), "head_dim " + std::to_string(shape.head_dim));
  }
}

TEST(AttentionDecode, a_row_does_not_depend_on_its_mates_or_on_the_grid) {
  for (const AttentionShape& shape : kShapes) {
    const AttentionSequence sequences[] = {{300, 4, 1}, {20, 1, 2}, {530, 1, 3}};
    std::vector<float> together;
    const AttentionBatch batch(shape, {sequences[0], sequences[1], sequences[2]});
    {
      TestDevice device({.seed = 2});
      together = run_decode(batch, 7);
    }
    for (size_t s = 0; s < 3; ++s) {
      for (int32_t row = 0; row < sequences[s].rows; ++row) {
        TestDevice device({.seed = 20 + s});
        AttentionSequence alone = sequences[s];
        alone.context -= alone.rows - 1 - row;
        alone.rows = 1;
        const AttentionBatch single(shape, {alone});
        EXPECT_EQ(single.row_of(run_decode(single, 2), 0, 0), batch.row_of(together, s, row))
            << "head_dim " << shape.head_dim << " sequence " << s << " row " << row;
      }
    }
  }
}

TEST(AttentionDecode, a_row_of_a_tree_has_the_bits_of_its_path_alone) {
  for (const AttentionShape& shape : kShapes) {
    AttentionSequence tree = {270, 15, 1, {-1, 0, 1, 2, 1, 4, 0, 6, 0, -1, 9, 10, 9, 12, 13}};
    const AttentionBatch batch(shape, {tree, {40, 2, 2}});
    std::vector<float> together;
    {
      TestDevice device({.seed = 4});
      together = run_decode(batch, 5);
    }
    batch.expect_right(together, "tree, head_dim " + std::to_string(shape.head_dim));
    for (int32_t row = 0; row < tree.rows; row += 2) {
      TestDevice device({.seed = 30});
      const std::vector<int32_t> path = tree.path(row);
      AttentionSequence alone = {tree.before() + static_cast<int32_t>(path.size()), static_cast<int32_t>(path.size()),
                                 1};
      for (const int32_t ancestor : path) alone.names.push_back(tree.before() + ancestor);
      const AttentionBatch single(shape, {alone});
      EXPECT_EQ(single.row_of(run_decode(single, 2), 0, alone.rows - 1), batch.row_of(together, 0, row))
          << "head_dim " << shape.head_dim << " row " << row;
    }
  }
}

#ifdef SERAPH_CUDA_SIM
TEST(AttentionDecode, reads_keys_and_values_once_and_meets_no_bank_conflict) {
  for (const int32_t head_dim : {64, 80, 96, 128, 256}) {
    for (const bool fp8 : {false, true}) {
      TestDevice device;
      const AttentionShape shape = {4, 1, head_dim, 16, 0, DType::kBf16, fp8};
      const AttentionBatch batch(shape, {{512, 1, 1}, {512, 1, 2}});
      run_decode(batch, 4);
      const sim::LaunchStats& stats = device.last_launch();
      const int64_t elements = int64_t{2} * 512 * 2 * head_dim;  // sequences, keys, k and v
      const int64_t needed = fp8 ? elements + elements / head_dim * 2 : elements * 2;
      EXPECT_LE(stats.global_bytes_read, needed * 1.2) << head_dim;
      EXPECT_EQ(stats.bank_conflicts, 0) << head_dim;
      EXPECT_EQ(stats.mma_multiply_adds, elements / 2 * 16 * 2);  // 16 rows wide, q times k and weights times v
    }
  }
}
#endif

TEST(AttentionDecode, what_has_no_kernel_is_refused) {
  TestDevice device;
  cuda::AttentionDecodeLaunch args;
  args.shape = {1, 1, 72, 16, DType::kF16};
  args.num_heads = 1;
  args.num_sequences = 1;
  args.q = {nullptr, DType::kF16, 1, 72, 72};
  args.out = args.q;
  EXPECT_EQ(cuda::attention_decode(args, nullptr).code, cuda::kErrorInvalidValue);
  EXPECT_EQ(cuda::attention_split_tokens(72), 0);
  args.shape.head_dim = 64;
  EXPECT_EQ(cuda::attention_decode(args, nullptr).code, cuda::kErrorInvalidValue);
}

}  // namespace
}  // namespace seraph::cuda_test
