// Operations on single rows: embedding, RMSNorm, rotation and the write of keys and values.
// Included by instances only.
#pragma once

#include "kernels/cpu/simd/common.h"

namespace seraph::cpu::SERAPH_ISA {

inline float widen_one(uint16_t bits, Element type) {
  uint16_t buffer[16] = {bits};
  float out[16];
  store(out, widen(buffer, type));
  return out[0];
}

/// Element k of a weight row out of its panel.
inline float weight_at(const EmbedJob& job, const char* panel, int64_t lane, int64_t k) {
  switch (job.weight_type) {
    case Element::kF32:
      return reinterpret_cast<const float*>(panel)[k * 16 + lane];
    case Element::kF16:
      return widen_one(reinterpret_cast<const uint16_t*>(panel)[k * 16 + lane], Element::kF16);
    default:
      break;
  }
  const uint32_t bits = static_cast<uint32_t>(reinterpret_cast<const uint16_t*>(panel)[(k / 2 * 16 + lane) * 2 + k % 2])
                        << 16;
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

void embed(const EmbedJob& job, int64_t row_begin, int64_t row_end) {
  for (int64_t row = row_begin; row < row_end; ++row) {
    const int64_t id = job.ids[row];
    const char* panel = job.panels + id / 16 * job.panel_bytes;
    float* out = job.out + row * job.out_stride;
    for (int64_t k = 0; k < job.k; ++k) out[k] = weight_at(job, panel, id % 16, k);
  }
}

/// 1 / sqrt(mean(x^2) + eps). The sum has 16 lanes whatever the vector width.
inline float inverse_rms(const float* x, int64_t count, float eps) {
  F32 sum = zero();
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const F32 v = load(x + i);
    sum = fma(v, v, sum);
  }
  if (i < count) {
    const F32 v = load_first(x + i, count - i);
    sum = fma(v, v, sum);
  }
  return 1.0F / __builtin_sqrtf(sum_lanes(sum) / static_cast<float>(count) + eps);
}

void rms_norm(const NormJob& job, int64_t row_begin, int64_t row_end) {
  for (int64_t row = row_begin; row < row_end; ++row) {
    for (int64_t begin = 0; begin < job.cols; begin += job.group) {
      const float* x = job.x + row * job.x_stride + begin;
      const F32 scale = splat(inverse_rms(x, job.group, job.eps));
      for (int64_t i = 0; i < job.group; i += 16) {
        const int64_t n = job.group - i;
        const F32 y = mul(mul(load_first(x + i, n), scale), load_first(job.weight + i, n));
        store_any_first(job.out, row * job.out_stride + begin + i, job.out_type, y, n);
      }
    }
  }
}

/// Norms (if asked) and rotates one head in place.
inline void rotate_head(float* head, const RopeJob& job, const float* norm, const float* cos_sin) {
  const int64_t dim = job.kv.head_dim;
  if (norm != nullptr) {
    const F32 scale = splat(inverse_rms(head, dim, job.eps));
    for (int64_t i = 0; i < dim; i += 16) {
      const F32 y = mul(mul(load_first(head + i, dim - i), scale), load_first(norm + i, dim - i));
      store_first(head + i, y, dim - i);
    }
  }
  const int64_t half = job.rotary_dim / 2;
  for (int64_t i = 0; i < half; i += 16) {
    const int64_t n = half - i;
    const F32 cos = load_first(cos_sin + i, n);
    const F32 sin = load_first(cos_sin + half + i, n);
    const F32 a = load_first(head + i, n);
    const F32 b = load_first(head + half + i, n);
    store_first(head + i, sub(mul(a, cos), mul(b, sin)), n);
    store_first(head + half + i, add(mul(b, cos), mul(a, sin)), n);
  }
}

inline char* kv_block(const KvView& kv, int64_t block) { return kv.storage + block * kv.block_bytes; }

/// Where a head's scale of a token lies.
inline uint16_t* kv_scale(const KvView& kv, char* block, int64_t offset, int64_t head, int64_t token) {
  return reinterpret_cast<uint16_t*>(block + offset) + head * kv.block_tokens + token;
}

/// Scatters a vector into its block's [dim][group] order.
inline void write_key(const KvView& kv, char* keys, int64_t token, const float* key) {
  const int64_t dim = kv.head_dim;
  const int64_t first = token / kv.group * kv.group * dim + token % kv.group;
  for (int64_t i = 0; i < dim; i += 16) {
    const int64_t n = dim - i < 16 ? dim - i : 16;
    alignas(64) float wide[16];
    alignas(64) uint16_t bits[16];
    if (kv.type == Element::kF32) {
      store(wide, load_first(key + i, n));
      for (int64_t j = 0; j < n; ++j) reinterpret_cast<float*>(keys)[first + (i + j) * kv.group] = wide[j];
    } else {
      narrow(bits, load_first(key + i, n), kv.type);
      for (int64_t j = 0; j < n; ++j) reinterpret_cast<uint16_t*>(keys)[first + (i + j) * kv.group] = bits[j];
    }
  }
}

/// Writes x as e4m3, `step` bytes apart; returns the bits of its bf16 scale.
inline uint16_t write_f8(uint8_t* out, int64_t step, const float* x, int64_t dim) {
  float largest = 0.0F;
  for (int64_t i = 0; i < dim; ++i) {
    const float magnitude = __builtin_fabsf(x[i]);
    largest = magnitude > largest ? magnitude : largest;
  }
  const uint16_t scale = f8_scale(largest);
  const float inverse = scale == 0 ? 0.0F : 1.0F / f8_scale_value(scale);
  for (int64_t i = 0; i < dim; ++i) out[i * step] = f8_from_float(x[i] * inverse);
  return scale;
}

inline void write_key_value(const KvView& kv, int64_t slot, int64_t head, const float* key, const float* value) {
  char* block = kv_block(kv, slot / kv.block_tokens);
  const int64_t token = slot % kv.block_tokens;
  char* keys = block + kv.key_offset + head * kv.head_bytes;
  char* values = block + kv.value_offset + head * kv.head_bytes;
  const int64_t dim = kv.head_dim;
  if (kv.type == Element::kF8) {
    uint8_t* first_key = reinterpret_cast<uint8_t*>(keys) + token / kv.group * kv.group * dim + token % kv.group;
    *kv_scale(kv, block, kv.key_scale_offset, head, token) = write_f8(first_key, kv.group, key, dim);
    uint8_t* first_value = reinterpret_cast<uint8_t*>(values) + token * dim;
    *kv_scale(kv, block, kv.value_scale_offset, head, token) = write_f8(first_value, 1, value, dim);
    return;
  }
  write_key(kv, keys, token, key);
  for (int64_t i = 0; i < dim; i += 16) {
    const int64_t n = dim - i < 16 ? dim - i : 16;
    store_any_first(values, token * dim + i, kv.type, load_first(value + i, n), n);
  }
}

void rope_cache_write(const RopeJob& job, int64_t row_begin, int64_t row_end) {
  const int64_t dim = job.kv.head_dim;
  for (int64_t row = row_begin; row < row_end; ++row) {
    float* q = job.qkv + row * job.stride;
    float* k = q + job.num_heads * dim;
    const float* v = k + job.kv.num_kv_heads * dim;
    const float* cos_sin = job.cos_sin + row * job.rotary_dim;
    for (int64_t h = 0; h < job.num_heads; ++h) rotate_head(q + h * dim, job, job.q_norm, cos_sin);
    for (int64_t h = 0; h < job.kv.num_kv_heads; ++h) {
      rotate_head(k + h * dim, job, job.k_norm, cos_sin);
      write_key_value(job.kv, job.slots[row], h, k + h * dim, v + h * dim);
    }
  }
}

}  // namespace seraph::cpu::SERAPH_ISA
