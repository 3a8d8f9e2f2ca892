// The operations a model is made of, and their contracts. kernels/cpu implements them on x86;
// another device implements the same class. Nothing here knows requests, families or files.
//
// Rows are exact: the result of a row (a token of the batch) never depends on how many rows ride
// along, on the number of threads, or on where the row stands in the batch. Reduction order is fixed
// per output element; attention splits are chosen from lengths only. Tests hold every operation to it.
//
// All operations are called from one thread (the engine thread), are asynchronous on a stream where the
// device has streams, allocate nothing after plan_scratch(), and report device faults once, from
// synchronize(). Shapes and dtypes are the caller's promise (checked, a breach ends the process); what
// the device cannot run at all is refused at load time by supports() and pack().
// Includes the standard library and device_queue.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/device_queue.h"

namespace seraph {

enum class DType : uint8_t { kF32, kF16, kBf16, kI32, kF8E4m3 };

constexpr int64_t dtype_bytes(DType dtype) {
  if (dtype == DType::kF8E4m3) return 1;
  return dtype == DType::kF16 || dtype == DType::kBf16 ? 2 : 4;
}

/// Owns device memory. Empty after a move.
class Buffer {
 public:
  using Free = void (*)(void* data, int64_t bytes);
  Buffer() = default;
  Buffer(void* data, int64_t bytes, Free free) : data_(data), bytes_(bytes), free_(free) {}
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(free_, other.free_);
    return *this;
  }
  ~Buffer() {
    if (data_ != nullptr) free_(data_, bytes_);
  }

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  int64_t bytes_ = 0;
  Free free_ = nullptr;
};

/// A matrix in device memory that somebody else owns: `rows` rows of `cols` elements, `stride` elements
/// apart. Higher ranks are folded into cols ([T, heads, head_dim] is rows = T, cols = heads * head_dim).
struct Tensor {
  void* data = nullptr;
  DType dtype = DType::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;  // elements from one row to the next, >= cols

  /// The same memory, only the first `count` rows.
  Tensor first_rows(int64_t count) const { return Tensor{data, dtype, count, cols, stride}; }
  /// `count` rows from `begin` on.
  Tensor rows_from(int64_t begin, int64_t count) const {
    return Tensor{static_cast<char*>(data) + begin * stride * dtype_bytes(dtype), dtype, count, cols, stride};
  }
  /// `count` columns from `begin` on.
  Tensor columns(int64_t begin, int64_t count) const {
    return Tensor{static_cast<char*>(data) + begin * dtype_bytes(dtype), dtype, rows, count, stride};
  }
};

/// A matrix in host memory as a checkpoint file holds it: row-major, contiguous.
struct HostMatrix {
  const void* data = nullptr;
  DType dtype = DType::kF32;  // kF32, kF16 or kBf16
  int64_t rows = 0;
  int64_t cols = 0;
};

/// A weight matrix [rows = outputs, cols = inputs] in the device's own layout. Immutable, shareable.
class Weight {
 public:
  virtual ~Weight() = default;
  virtual int64_t rows() const = 0;
  virtual int64_t cols() const = 0;
  virtual int64_t bytes() const = 0;  // device memory held
};

/// How a model stores its keys and values. A KV block holds `block_tokens` tokens of all layers in one
/// contiguous piece, so that a whole block moves at once; the order inside a block is the device's.
/// kF8E4m3: a key or value head x of a token is x / s in e4m3 with s its largest magnitude / 448, rounded up to bf16
/// and kept in the block; a row of the cache so depends on that token only.
struct KvShape {
  int32_t num_layers = 0;
  int32_t num_kv_heads = 0;
  int32_t head_dim = 0;
  int32_t block_tokens = 16;  // a multiple of 8
  DType dtype = DType::kF32;  // kF32, kF16, kBf16 or kF8E4m3
};

/// Bytes of one layer inside a KV block: keys and values, and behind them the scales of kF8E4m3.
constexpr int64_t kv_layer_bytes(const KvShape& shape) {
  const int64_t heads = int64_t{2} * shape.num_kv_heads * shape.block_tokens;
  const int64_t scale_bytes = shape.dtype == DType::kF8E4m3 ? 2 : 0;
  return heads * (shape.head_dim * dtype_bytes(shape.dtype) + scale_bytes);
}

struct KvCache {
  KvShape shape = {};
  int32_t num_blocks = 0;
  Buffer storage = {};
};

/// Which dtypes a device wants between operations when the model computes in a given dtype.
struct ActivationTypes {
  DType residual = DType::kF32;  // the residual stream
  DType input = DType::kF32;     // what linear() reads: outputs of norms, attention, activation
  DType output = DType::kF32;    // what linear() writes: q, k, v and gate/up
  DType kv = DType::kF32;        // keys and values at rest
};

/// Whole KV blocks to a pool in host memory, or back: device_blocks[i] <-> host_blocks[i].
struct SwapKvArgs {
  KvCache* cache = nullptr;
  Buffer* host = nullptr;  // from allocate_host(), whole blocks side by side
  std::span<const int32_t> device_blocks = {};
  std::span<const int32_t> host_blocks = {};
  bool to_host = true;
};

/// A part of the memory that a device holds beside weights, activations and KV cache, for the memory plan.
struct MemoryUse {
  const char* what = "";  // a literal: "sampler"
  int64_t device_bytes = 0;
  int64_t host_bytes = 0;  // pinned
};

/// The largest step.
struct ScratchPlan {
  int64_t rows_max = 0;
  int64_t cols_max = 0;  // of any operand
  int64_t logit_rows_max = 0;
  int64_t sequences_max = 0;
  int64_t context_max = 0;  // tokens of a sequence
  KvShape kv = {};
  int32_t num_heads = 0;
};

struct EmbedArgs {
  std::span<const int32_t> ids;   // [T] host; 0 <= id < table.rows(), or -1 - r: what row r of the last sample() drew
  const Weight* table = nullptr;  // [V, H]
  Tensor out;                     // [T, H] residual dtype
};

struct RmsNormArgs {
  Tensor x;                       // [T, n * group]; each group of `group` columns is normed on its own
  const float* weight = nullptr;  // [group] device
  int64_t group = 0;              // = cols for the usual norm
  float eps = 1e-6F;
  Tensor out;  // [T, n * group] input dtype; may be x itself
};

/// The adapters of one linear on the device: a fixed number of slots, each empty or holding low-rank matrices. Every
/// step names a slot per row, so that adapters come and go while steps (and recorded graphs) stay what they are. A slot
/// may be written while no step that is in flight names it.
class LoraBank {
 public:
  virtual ~LoraBank() = default;
  virtual int32_t num_slots() const = 0;
  virtual int32_t rank_max() const = 0;
  virtual int64_t bytes() const = 0;  // device memory held, whatever the slots hold
};

constexpr int32_t kLoraRankMax = 512;

struct LoraBankArgs {
  int32_t num_slots = 0;
  int32_t rank_max = 0;                // 1 .. kLoraRankMax
  int64_t cols = 0;                    // inputs of the linear
  std::span<const int64_t> part_rows;  // outputs of each matrix stacked in the linear: q, k, v; or gate, up
  DType compute = DType::kF32;         // values round to it
};

/// One stacked matrix's delta: scale * b a x.
struct LoraPart {
  HostMatrix a;  // [r, cols], 1 <= r <= rank_max; null data: the adapter leaves this part alone
  HostMatrix b;  // [part_rows, r]
  float scale = 1.0F;
};

struct LinearArgs {
  Tensor x;                        // [T, K] input dtype
  const Weight* weight = nullptr;  // [N, K]
  const float* bias = nullptr;     // of pack_bias(), or null; added before the epilogue
  enum class Epilogue : uint8_t {
    kStore,       // out [T, N]  = x W^T + b
    kAccumulate,  // out [T, N] += x W^T + b          (the residual add)
    kSiluMul,     // out [T, N/2] = silu(gate) * up; the weight was packed with PackArgs::gate_up
  } epilogue = Epilogue::kStore;
  Tensor out;
  /// Adapters, or null: to x W^T + b is added, in f32 and before the epilogue, the delta of each row's slot. The sums
  /// of a row do not depend on the slots of others.
  const LoraBank* lora = nullptr;
  std::span<const int32_t> lora_slots = {};  // [T] host; -1: none
};

struct PackArgs {
  std::span<const HostMatrix> parts;  // stacked along the rows, all with the same cols
  DType compute = DType::kF32;        // the model's dtype; stored values round to it (f32 keeps the file's)
  bool gate_up = false;               // exactly two parts, gate then up, interleaved for kSiluMul
};

struct RopeCacheArgs {
  Tensor qkv;                      // [T, (heads + 2 kv_heads) * head_dim] output dtype; q is rotated in place
  const float* cos_sin = nullptr;  // [T, rotary_dim] device: cos of rotary_dim/2 angles, then sin of them
  int32_t rotary_dim = 0;          // even, <= head_dim; pairs are (i, i + rotary_dim/2)
  const float* q_norm = nullptr;   // [head_dim] device or null: RMSNorm of each q head before rotation
  const float* k_norm = nullptr;   // [head_dim] device or null
  float norm_eps = 1e-6F;
  int32_t num_heads = 0;
  std::span<const int32_t> slots;  // [T] host: block * block_tokens + offset, where this token's k and v go
  KvCache* cache = nullptr;
  int32_t layer = 0;
};

constexpr int32_t kTreeRowsMax = 64;

struct AttentionArgs {
  Tensor q;    // [T, heads * head_dim] output dtype (the first columns of qkv)
  Tensor out;  // [T, heads * head_dim] input dtype
  const KvCache* cache = nullptr;
  int32_t layer = 0;
  int32_t num_heads = 0;  // a multiple of cache->shape.num_kv_heads
  float scale = 1.0F;
  int32_t window = 0;                  // > 0: a query at position p sees keys p' with p - window < p' <= p
  std::span<const int32_t> row_begin;  // [S + 1] host: rows of sequence s are row_begin[s] .. row_begin[s+1]
  std::span<const int32_t>
      context_tokens;  // [S] host: tokens in the cache including this step's; the rows are the last; 0: leave them out
  std::span<const int32_t> block_tables;  // [S, blocks_stride] host
  int32_t blocks_stride = 0;
  bool generated = false;  // few rows of each sequence, behind its prompt: a device may cut them otherwise than prompts
  /// [T] host, or empty: all rows are in a line. Which row of its own sequence a row follows, counted from the
  /// sequence's first; -1: it follows the context before the rows. Parents come before their children. A row sees that
  /// context, its ancestors and itself, and its position is the number of tokens it sees less one: its result has the
  /// bits that it has when only its ancestors were there, in a line. Rows of a sequence that branch are at most
  /// kTreeRowsMax.
  std::span<const int32_t> parents = {};
};

/// An id that a sequence has seen, for the penalties.
struct TokenCount {
  int32_t id = 0;
  int32_t in_output = 0;  // occurrences among generated tokens
  bool in_prompt = false;
};

/// What to do with one row of logits. Order: allowed, banned, bias, repetition, frequency, presence,
/// temperature, min_p, top_k, top_p, draw. All spans are host memory that lives until synchronize().
struct SampleRow {
  int32_t logit_row = 0;     // row of SampleArgs::logits
  float temperature = 0.0F;  // < 1e-5: greedy (top_k, top_p, min_p off); raised to 0.01 when below
  int32_t top_k = 0;         // <= 0 or >= vocabulary: off; all ties of the k-th stay
  float top_p = 1.0F;
  float min_p = 0.0F;
  float repetition_penalty = 1.0F;
  float frequency_penalty = 0.0F;
  float presence_penalty = 0.0F;
  uint64_t seed = 0;
  uint32_t position = 0;  // index of the drawn token in its sequence
  uint32_t choice = 0;
  int32_t given_token = -1;                         // >= 0: draw nothing, report this id's logprob
  int32_t num_logprobs = -1;                        // -1: no logprobs; k >= 0: the chosen id's and the k best
  std::span<const TokenCount> counts;               // distinct ids
  std::span<const std::pair<int32_t, float>> bias;  // distinct ids, clamped to [-100, 100]; does not revive a masked id
  std::span<const int32_t> banned;                  // set to -inf
  const uint32_t* allowed = nullptr;                // bit set [ceil(V/32)] or null: all
  std::span<const int32_t> logprob_ids = {};  // [num_logprobs] or empty: reported in this order instead of the best
};

struct SampledLogprob {
  int32_t id = 0;
  float logprob = 0.0F;
  int32_t rank = 0;  // ids with logprob >= this one's
};

struct SampleResult {
  int32_t token = -1;                  // stays -1 when the masks leave nothing
  std::span<SampledLogprob> logprobs;  // caller's memory: [1 + num_logprobs]; chosen, then the best, not repeated, or
                                       // all of logprob_ids
  int32_t num_logprobs = 0;            // filled by sample()
};

struct SampleArgs {
  Tensor logits;                    // [L, V] f32; rows may be changed in place
  int32_t vocab_size = 0;           // ids >= this are never drawn (padding rows of the head)
  std::span<const SampleRow> rows;  // at most one row per logit row
  std::span<SampleResult> results;  // [rows.size()] host
};

class Backend : public DeviceQueue {
 public:
  /// "cpu (AVX-512 with BF16, 2 threads)".
  virtual std::string name() const = 0;
  /// Whether models can be computed in this dtype.
  virtual bool computes_in(DType compute) const = 0;
  virtual ActivationTypes activation_types(DType compute) const = 0;
  /// "" when attention can run this shape, else one sentence that names what it cannot.
  virtual std::string supports(const KvShape& shape, int32_t num_heads) const = 0;
  /// Bytes free for weights, cache and activations.
  virtual int64_t memory_free_bytes() const = 0;
  /// What is left when the process takes at most this share of the device's memory; a device that is also the host's
  /// memory leaves more of it alone.
  virtual int64_t memory_budget_bytes(double share) const = 0;

  /// Memory is 64-byte aligned and zeroed. An empty Buffer when there is none left.
  virtual Buffer allocate(int64_t bytes) = 0;
  virtual int64_t kv_block_bytes(const KvShape& shape) const = 0;
  /// Brings matrices into the device's layout. Null when memory ran out.
  virtual std::unique_ptr<Weight> pack(const PackArgs& args) = 0;
  /// Slots for the adapters of one linear, all empty. Null when the device has no adapters or no memory left.
  virtual std::unique_ptr<LoraBank> make_lora_bank(const LoraBankArgs& /*args*/) { return nullptr; }
  /// Fills a slot with one part for each of part_rows; no parts: empties it. Returns when the host may forget them.
  virtual void write_lora(LoraBank& /*bank*/, int32_t /*slot*/, std::span<const LoraPart> /*parts*/) {}
  /// The bias of a weight, in the order of its outputs. Empty when memory ran out.
  virtual Buffer pack_bias(std::span<const float> values, bool gate_up) = 0;
  /// Random weights of that shape, uniform in (-scale, scale), the same for the same seed.
  virtual std::unique_ptr<Weight> pack_random(int64_t rows, int64_t cols, DType compute, float scale,
                                              uint64_t seed) = 0;
  /// Reserves what the operations below need. False when memory ran out.
  virtual bool plan_scratch(const ScratchPlan& plan) = 0;
  /// What it reserved. Empty when that is nothing worth naming.
  virtual std::vector<MemoryUse> memory_uses() const { return {}; }
  /// What whoever runs the program should know after plan_scratch(): one sentence, or "".
  virtual std::string notice() const { return {}; }

  virtual void embed(const EmbedArgs& args) = 0;
  virtual void rms_norm(const RmsNormArgs& args) = 0;
  /// Source of the fixed reduction order: every output element is one running f32 sum over k ascending
  /// in the device's step width, whatever T is.
  virtual void linear(const LinearArgs& args) = 0;
  /// Norms q and k heads if asked, rotates q (in place) and k, writes k and v to their slots.
  virtual void rope_cache_write(const RopeCacheArgs& args) = 0;
  /// Paged attention over the cache with an online softmax in f32, for prefill chunks and decode rows in
  /// one call. Source: Kwon et al. 2023, arXiv:2309.06180; Dao 2023, arXiv:2307.08691.
  virtual void attention(const AttentionArgs& args) = 0;
  /// out[i] = x[rows[i]]; same dtype and cols.
  virtual void gather_rows(const Tensor& x, std::span<const int32_t> rows, const Tensor& out) = 0;
  /// Edits logits and draws. The draw is argmax(logit / T + g) over the surviving ids, the smaller id on
  /// a tie, with g = -log(-log1p(-u)), u = min(fma(float(w), 2^-32, 2^-33), 1 - 2^-24) in f32, w = word
  /// (id & 3) of Philox4x32-10 with key (seed low, seed high) and counter (id >> 2, position, choice, 0).
  /// Logprobs are of the untouched logits over all V columns. Source: Salmon et al. 2011 (Philox); vLLM's order.
  virtual void sample(const SampleArgs& args) = 0;
  /// Copies whole KV blocks: from[i] -> to[i].
  virtual void copy_kv_blocks(KvCache& cache, std::span<const int32_t> from, std::span<const int32_t> to) = 0;
  /// Host memory that blocks can be swapped to. Empty when there is none left, or the device does not swap.
  virtual Buffer allocate_host(int64_t /*bytes*/) { return {}; }
  /// In order with the operations before and after. REQUIRES: `host` from this device's allocate_host().
  virtual void swap_kv_blocks(const SwapKvArgs& /*args*/) {}
};

struct CpuBackendOptions {
  int32_t threads = 0;  // 0: the cores this process may run on; the engine thread is one of them
  bool pin_threads = true;
  std::string isa_max = {};  // "" the best the machine has; "avx2", "avx512", "avx512bf16" (tests)
};
/// Errors: null and a sentence in `error` when the CPU lacks AVX2, FMA and F16C.
std::unique_ptr<Backend> make_cpu_backend(const CpuBackendOptions& options, std::string& error);

}  // namespace seraph
