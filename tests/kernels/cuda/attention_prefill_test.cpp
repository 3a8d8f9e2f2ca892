// attention_prefill on the simulator against double precision, and its promise about bits.
#include "kernels/cuda/attention_prefill.h"

#include "tests/kernels/cuda/attention_batch.h"

namespace seraph::cuda_test {
namespace {

const AttentionShape kShapes[] = {
    {14, 2, 64, 16, 0, DType::kBf16},        {4, 4, 80, 16, 40, DType::kF16},
    {6, 2, 96, 8, 0, DType::kF16},           {7, 1, 128, 16, 0, DType::kBf16},
    {4, 2, 128, 24, 70, DType::kF16},        {2, 1, 256, 16, 50, DType::kBf16},
    {7, 1, 64, 16, 0, DType::kBf16, true},   {4, 4, 80, 8, 40, DType::kF16, true},
    {6, 2, 96, 16, 0, DType::kF16, true},    {7, 1, 128, 24, 35, DType::kBf16, true},
    {2, 1, 256, 16, 50, DType::kBf16, true},
};

std::vector<float> run_prefill(const AttentionBatch& batch, int32_t num_blocks_grid) {
  const DeviceTensor q(batch.queries(), batch.num_rows(), batch.cols(), batch.shape().dtype, 8);
  const DeviceTensor out(std::vector<float>(batch.queries().size(), 7.0F), batch.num_rows(), batch.cols(),
                         batch.shape().dtype, 8);
  const DeviceArray<char> cache(batch.cache());
  const DeviceArray<int32_t> row_begin(batch.row_begin());
  const DeviceArray<int32_t> contexts(batch.contexts());
  const DeviceArray<int32_t> tables(batch.tables());
  EXPECT_EQ(finish(cuda::attention_prefill({.q = q.tensor(),
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
                                            .blocks_stride = batch.blocks_stride(),
                                            .num_sequences = static_cast<int32_t>(batch.sequences().size()),
                                            .num_blocks_grid = num_blocks_grid},
                                           nullptr)),
            "");
  return out.values();
}

TEST(AttentionPrefill, agrees_with_double_precision_at_ragged_lengths) {
  for (const AttentionShape& shape : kShapes) {
    TestDevice device;
    const AttentionBatch batch(shape, {{45, 45, 1}, {130, 33, 2}, {0, 0, 3}, {1, 1, 4}, {64, 3, 5}});
    batch.expect_right(run_prefill(batch, 3), "head_dim " + std::to_string(shape.head_dim));
  }
}

TEST(AttentionPrefill, a_row_does_not_depend_on_how_its_prompt_was_cut) {
  for (const AttentionShape& shape : kShapes) {
    constexpr int32_t kTokens = 90;
    const AttentionBatch whole(shape, {{kTokens, kTokens, 1}, {20, 20, 2}});
    std::vector<float> expected;
    {
      TestDevice device({.seed = 2});
      expected = run_prefill(whole, 5);
    }
    int32_t begin = 0;
    for (const int32_t chunk : {1, 17, 64, 8}) {
      TestDevice device({.seed = 30});
      const AttentionBatch part(shape, {{begin + chunk, chunk, 1}});
      const std::vector<float> out = run_prefill(part, 2);
      for (int32_t row = 0; row < chunk; ++row) {
        ASSERT_EQ(part.row_of(out, 0, row), whole.row_of(expected, 0, begin + row))
            << "head_dim " << shape.head_dim << " token " << begin + row;
      }
      begin += chunk;
    }
  }
}

#ifdef SERAPH_CUDA_SIM
TEST(AttentionPrefill, meets_no_bank_conflict_and_skips_what_nobody_sees) {
  for (const int32_t head_dim : {64, 80, 96, 128, 256}) {
    TestDevice device;
    const AttentionShape shape = {2, 2, head_dim, 16, 0, DType::kF16};
    const AttentionBatch batch(shape, {{128, 128, 1}});
    run_prefill(batch, 4);
    const sim::LaunchStats& stats = device.last_launch();
    EXPECT_EQ(stats.bank_conflicts, 0) << head_dim;
    // Every byte of q, k and v is read from memory once here; the block table adds a little.
    EXPECT_LE(stats.global_bytes_read, 3 * 128 * 2 * head_dim * 2 + 4096) << head_dim;
    EXPECT_EQ(stats.global_bytes_written, 128 * 2 * head_dim * 2);
    // Of the pairs of 16 rows and 64 (16) keys only those below the diagonal and on it are multiplied.
    const int64_t keys = head_dim > 128 ? 16 : 64;
    int64_t pairs = 0;
    for (int64_t row = 0; row < 128; row += 16) pairs += (row + 15) / keys + 1;
    EXPECT_EQ(stats.mma_multiply_adds, pairs * 16 * keys * head_dim * 2 * 2) << head_dim;
  }
}
#endif

TEST(AttentionPrefill, what_has_no_kernel_is_refused) {
  TestDevice device;
  cuda::AttentionPrefillLaunch args;
  args.shape = {1, 1, 72, 16, DType::kF16};
  args.num_heads = 1;
  args.num_sequences = 1;
  args.q = {nullptr, DType::kF16, 1, 72, 72};
  args.out = args.q;
  EXPECT_EQ(cuda::attention_prefill(args, nullptr).code, cuda::kErrorInvalidValue);
  args.num_sequences = 2000;
  EXPECT_EQ(cuda::attention_prefill(args, nullptr).code, cuda::kErrorInvalidValue);
}

}  // namespace
}  // namespace seraph::cuda_test
