// Attention of few query rows per sequence over a paged cache: decode steps and drafts to verify.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

constexpr int32_t kAttentionSequencesMax = 1024;

/// q               [T, num_heads * head_dim] f16 or bf16, rows on 16 bytes
/// out             [T, num_heads * head_dim] the same dtype, rows on 16 bytes
/// cache           [num_blocks][num_layers] of [k, v][kv_heads][block_tokens][head_dim] of q's dtype; or of e4m3, and
/// then
///                 of [k, v][kv_heads][block_tokens] bf16 scales
/// row_begin       [S + 1] int32, device: rows of sequence s are row_begin[s] .. row_begin[s + 1]
/// context_tokens  [S] int32, device: tokens in the cache including these rows, which are the last ones; 0: no rows
/// block_tables    [S, blocks_stride] int32, device; entries past the context are never read
/// paths           [T] uint64, device, or null. All 0 for a sequence whose rows are in a line. Where they branch, bit i
/// of
///                 a row's word says that it sees row i of its sequence: its ancestors and itself (at most 64 rows).
///                 A row of n bits then stands at position c + n - 1 behind c tokens of context, and its result has
///                 the bits that it has when only its ancestors were there
/// A query at position p sees keys p' <= p, and with a window > 0 only p' > p - window.
///
/// A work item is a piece of attention_split_tokens() keys of one sequence and KV head, counted from token 0, and up
/// to 16 query heads of the group; so splits come from lengths only. `num_blocks_grid` CUDA blocks share the items
/// evenly, whatever the lengths are: a captured graph stays right. The block that finishes the last item of a row
/// combines its pieces in the order of keys. Reads each key and value once per 16 rows * heads of a group.
/// workspace holds attention_decode_workspace() bytes; the first `counters_bytes` of it are zero before the first
/// call, and again after each. A row of a tree is a tile of its own: it reads the context once more, from L2.
/// A row's result does not depend on other rows or sequences. Asynchronous on the stream, allocates nothing, safe in
/// graph capture. bf16 needs sm_80.
/// Errors: kErrorInvalidValue for another dtype, head size (64, 80, 96, 128, 256), alignment, or too many sequences.
/// Source: Dao et al. 2023, "Flash-Decoding"; Kwon et al. 2023, arXiv:2309.06180.
struct AttentionDecodeLaunch {
  Tensor q;
  Tensor out;
  const void* cache = nullptr;
  KvShape shape = {};
  int32_t num_blocks = 0;
  int32_t layer = 0;
  int32_t num_heads = 0;
  float scale = 1.0F;
  int32_t window = 0;
  const int32_t* row_begin = nullptr;
  const int32_t* context_tokens = nullptr;
  const int32_t* block_tables = nullptr;
  const uint64_t* paths = nullptr;
  int32_t blocks_stride = 0;
  int32_t num_sequences = 0;  // at most kAttentionSequencesMax
  int32_t num_blocks_grid = 0;
  void* workspace = nullptr;
  int64_t workspace_bytes = 0;
};
Status attention_decode(const AttentionDecodeLaunch& args, Stream stream);

/// Keys of one work item; 0 when there is no kernel for this head size.
int32_t attention_split_tokens(int32_t head_dim);

/// What a call needs for `sequences_max` sequences of at most `rows_max` rows and `context_max` tokens each; also for
/// any sequences of sequences_max * rows_max rows together.
struct AttentionWorkspace {
  int64_t bytes = 0;
  int64_t counters_bytes = 0;
};
AttentionWorkspace attention_decode_workspace(const KvShape& shape, int32_t num_heads, int32_t sequences_max,
                                              int32_t rows_max, int32_t context_max);

}  // namespace seraph::cuda
