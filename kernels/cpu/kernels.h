// What the backend asks of an instruction set: one table of plain functions on raw pointers. Every set is
// compiled from the same sources (ops/) against its own vector types (simd/), in its own namespace and its
// own translation unit with its own compiler flags; the backend chooses a table at run time.
//
// Nothing in this header, nor in what the instances include, may be an inline function or template shared
// with other translation units: the linker keeps one copy of those, and a copy compiled with AVX-512 would
// end the process on a machine without it. Hence plain structs, and <cstdint> only.
#pragma once

#include <cstdint>

namespace seraph::cpu {

enum class Element : uint8_t { kF32, kF16, kBf16, kF8 };  // kF8: e4m3, keys and values only

/// Rows of a weight panel: 16 outputs lie side by side, so that one vector holds one k of all of them.
/// f32 and f16 panels are [K][16]; bf16 panels are [ceil(K/2)][16][2], the order of vdpbf16ps.
constexpr int64_t kPanelRows = 16;

enum class Epilogue : uint8_t { kStore, kAccumulate, kSiluMul };

/// The low-rank matrices of one part of a linear, of one adapter.
struct LoraMatrices {
  const void* a = nullptr;  // [rank][k]; null: no delta
  const void* b = nullptr;  // [rank][n]: the rank-th column of B for all of the part's outputs
  int32_t rank = 0;
  float scale = 1.0F;
};

/// Deltas of the rows of one linear whose adapters have parts that end at outputs part_end[0] < part_end[1] ...
struct LoraJob {
  const void* x = nullptr;
  int64_t x_stride = 0;
  Element x_type = Element::kF32;
  int64_t k = 0;
  const LoraMatrices* const* parts = nullptr;  // [rows] of num_parts; null: no adapter
  int32_t num_parts = 0;
  const int64_t* part_end = nullptr;
  Element weight_type = Element::kF32;
  float* inner = nullptr;  // [rows][num_parts][rank_max]
  int32_t rank_max = 0;
  float* delta = nullptr;  // [rows][n]
  int64_t n = 0;
};

struct LinearJob {
  const void* x = nullptr;  // [rows, k]
  int64_t x_stride = 0;     // elements
  Element x_type = Element::kF32;
  int64_t rows = 0;
  int64_t k = 0;
  int64_t n = 0;  // outputs; of kSiluMul: twice the columns of `out`
  const char* panels = nullptr;
  Element weight_type = Element::kF32;
  int64_t panel_bytes = 0;
  const float* bias = nullptr;           // [n] or null
  const float* const* deltas = nullptr;  // null, or [rows] of [n], of which some are null; added like the bias
  Epilogue epilogue = Epilogue::kStore;
  void* out = nullptr;
  int64_t out_stride = 0;  // elements
  Element out_type = Element::kF32;
  bool stream = false;  // write past the caches; rows of `out` begin at multiples of 64 bytes
};

struct EmbedJob {
  const char* panels = nullptr;
  Element weight_type = Element::kF32;
  int64_t panel_bytes = 0;
  int64_t k = 0;
  const int32_t* ids = nullptr;
  float* out = nullptr;
  int64_t out_stride = 0;
};

struct NormJob {
  const float* x = nullptr;
  int64_t x_stride = 0;
  int64_t cols = 0;
  int64_t group = 0;
  const float* weight = nullptr;
  float eps = 0.0F;
  void* out = nullptr;
  int64_t out_stride = 0;
  Element out_type = Element::kF32;
};

/// Where keys and values of one layer lie. A block is block_bytes long; inside it, for each KV head,
/// keys are [block_tokens/group][head_dim][group] (so that one vector holds one dimension of `group`
/// tokens) and values are [block_tokens][head_dim]. Scales of kF8 are bf16, [block_tokens] for each head.
struct KvView {
  char* storage = nullptr;
  int64_t block_bytes = 0;
  int64_t key_offset = 0;    // of this layer inside a block
  int64_t value_offset = 0;  // of this layer inside a block
  int64_t key_scale_offset = 0;
  int64_t value_scale_offset = 0;
  int64_t head_bytes = 0;  // block_tokens * head_dim elements
  int32_t block_tokens = 0;
  int32_t group = 0;  // 16, or 8 when block_tokens is no multiple of 16
  int32_t num_kv_heads = 0;
  int32_t head_dim = 0;
  Element type = Element::kF32;
};

struct RopeJob {
  float* qkv = nullptr;
  int64_t stride = 0;
  const float* cos_sin = nullptr;  // [rows, rotary_dim]
  int32_t rotary_dim = 0;
  const float* q_norm = nullptr;
  const float* k_norm = nullptr;
  float eps = 0.0F;
  int32_t num_heads = 0;
  const int32_t* slots = nullptr;
  KvView kv = {};
};

/// Keys are visited in chunks of this many tokens, cut at multiples of it in absolute position.
constexpr int32_t kAttentionChunk = 64;
/// Rows (query x head of one KV head's group) that one attention task handles at most.
constexpr int32_t kAttentionRowsMax = 64;

struct AttentionJob {
  const float* q = nullptr;
  int64_t q_stride = 0;
  void* out = nullptr;
  int64_t out_stride = 0;
  Element out_type = Element::kF32;
  KvView kv = {};
  int32_t num_heads = 0;
  float scale = 1.0F;
  int32_t window = 0;
};

/// Consecutive queries of one sequence against one KV head.
struct AttentionTask {
  int64_t row = 0;          // first row of q and out
  int32_t num_queries = 0;  // num_queries * (num_heads / num_kv_heads) <= kAttentionRowsMax
  int32_t position = 0;     // of the first query; of a tree: tokens before the sequence's rows
  /// Null: the queries are in a line. Else for each query the rows of its sequence that it sees, a bit each: the n-th
  /// of them has position `position` + n and lies at slot `position` + its bit.
  const uint64_t* paths = nullptr;
  int32_t kv_head = 0;
  const int32_t* blocks = nullptr;  // block table of the sequence
};

/// How the logits of a row are spread below their largest, in one pass.
constexpr int32_t kProfileSteps = 8;
constexpr float kProfileDistance[kProfileSteps] = {0.5F, 1.0F, 2.0F, 4.0F, 8.0F, 12.0F, 20.0F, 3.0e38F};
struct LogitProfile {
  int64_t count[kProfileSteps] = {};  // logits above max - distance (all finite ones in the last)
  double mass[kProfileSteps] = {};    // sum of exp(logit - max) over them
};

struct DrawJob {
  const float* logits = nullptr;  // already divided by the temperature
  int64_t count = 0;
  uint64_t seed = 0;
  uint32_t position = 0;
  uint32_t choice = 0;
};

struct Kernels {
  const char* name = "";
  bool bf16_inputs = false;  // linear() takes x in bf16

  /// Panels [begin, end) of all rows. kSiluMul needs even borders.
  void (*linear)(const LinearJob& job, int64_t panel_begin, int64_t panel_end) = nullptr;
  void (*lora_delta)(const LoraJob& job, int64_t row_begin, int64_t row_end) = nullptr;
  void (*embed)(const EmbedJob& job, int64_t row_begin, int64_t row_end) = nullptr;
  void (*rms_norm)(const NormJob& job, int64_t row_begin, int64_t row_end) = nullptr;
  void (*rope_cache_write)(const RopeJob& job, int64_t row_begin, int64_t row_end) = nullptr;
  int64_t (*attention_scratch_bytes)(int32_t head_dim) = nullptr;
  /// `scratch` is 64-byte aligned and belongs to the calling thread.
  void (*attention)(const AttentionJob& job, const AttentionTask& task, void* scratch) = nullptr;

  /// Index of the largest value, the smallest index on ties; -1 when there is none above -inf.
  int64_t (*argmax)(const float* x, int64_t count) = nullptr;
  /// Sum of exp(x - max).
  double (*exp_sum)(const float* x, int64_t count, float max) = nullptr;
  /// How many are >= value.
  int64_t (*count_at_least)(const float* x, int64_t count, float value) = nullptr;
  /// Writes the ids with x >= value in ascending order until `ids` is full; returns how many there are.
  int64_t (*select_at_least)(const float* x, int64_t count, float value, int32_t* ids, int64_t ids_max) = nullptr;
  void (*divide)(float* x, int64_t count, float divisor) = nullptr;
  void (*profile)(const float* x, int64_t count, float max, LogitProfile& profile) = nullptr;
  /// argmax(logit + gumbel noise), see Backend::sample; `best` is the index of the largest logit.
  int64_t (*draw)(const DrawJob& job, int64_t best) = nullptr;
};

const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
const Kernels& avx512bf16_kernels();

}  // namespace seraph::cpu
