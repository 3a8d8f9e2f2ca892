// Attention of many query rows per sequence over a paged cache: the chunks of prompts.
#pragma once

#include "kernels/cuda/attention_decode.h"

namespace seraph::cuda {

/// The fields mean what they mean in AttentionDecodeLaunch; rows are on 16 bytes, and there is no workspace.
/// A work item is a tile of 128 query rows * heads of one KV head's group (64 for head_dim 256) against all keys that
/// they see, in tiles of 64 (16) keys counted from token 0, with an online softmax in f32. Keys and values are read
/// once per item, shared by the heads of the group. Tiles that no row of a warp sees are skipped.
/// A row's result does not depend on other rows, on where its chunk begins or on the grid; it is not bit for bit that
/// of attention_decode, whose sums are cut otherwise. Asynchronous, allocates nothing, safe in graph capture.
/// bf16 needs sm_80. Errors: kErrorInvalidValue as there.
/// Source: Dao 2023, "FlashAttention-2", arXiv:2307.08691.
struct AttentionPrefillLaunch {
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
  int32_t blocks_stride = 0;
  int32_t num_sequences = 0;
  int32_t num_blocks_grid = 0;
};
Status attention_prefill(const AttentionPrefillLaunch& args, Stream stream);

}  // namespace seraph::cuda
