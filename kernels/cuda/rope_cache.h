// What happens to q, k and v between their projection and attention, in one kernel.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// Norms q and k heads if asked, rotates q (in place) and k, writes k and v to their slots.
/// qkv      [T, (num_heads + 2 kv_heads) * head_dim] f32, f16 or bf16
/// cos_sin  [T, rotary_dim] f32, device: cos of rotary_dim / 2 angles, then sin of them
/// q_norm   [head_dim] f32, device, or null: RMSNorm of each head before rotation; k_norm the same
/// slots    [T] int32, device: block * block_tokens + offset; below 0 (a padding row) nothing is written to the cache
/// cache    as in attention_decode.h, of shape.dtype
/// Moves qkv once and cos_sin once in, q and the written k and v out. A warp works on one head of one token, so a row
/// never depends on the others. Asynchronous on the stream, allocates nothing.
/// Errors: kErrorInvalidValue for another dtype or width, or for a rotary_dim that is odd or wider than a head.
struct RopeCacheLaunch {
  Tensor qkv;
  const float* cos_sin = nullptr;
  int32_t rotary_dim = 0;
  const float* q_norm = nullptr;
  const float* k_norm = nullptr;
  float norm_eps = 1e-6F;
  int32_t num_heads = 0;
  const int32_t* slots = nullptr;
  KvShape shape = {};
  void* cache = nullptr;
  int32_t num_blocks = 0;
  int32_t layer = 0;
};
Status rope_cache(const RopeCacheLaunch& args, Stream stream);

}  // namespace seraph::cuda
