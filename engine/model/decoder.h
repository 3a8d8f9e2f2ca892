// The one decoder: runs a DecoderSpec with weights in the backend's layout. Loading streams tensor by
// tensor (file pages -> pack -> release), so peak memory is the final size plus one tensor.
// Engine thread only after load().
#pragma once

#include <memory>
#include <optional>

#include "engine/base/result.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/model/adapter.h"
#include "engine/model/batch.h"
#include "engine/model/spec.h"
#include "kernels/backend.h"

namespace seraph {

/// Chooses the family by config.json's `architectures` and `model_type` and reads the spec.
/// kUnsupported names the architecture and the ones that exist; kCorrupt names the key and its range.
Result<DecoderSpec> read_decoder_spec(const Checkpoint& checkpoint);

/// What forward() returns of the rows that the batch asks for.
enum class DecoderOutput : uint8_t {
  kLogits,  // [L, vocab_size] f32
  kHidden,  // [L, hidden] after the final norm, in the backend's input dtype; the head is not loaded
};

class Decoder {
 public:
  struct LoadArgs {
    const Checkpoint* checkpoint = nullptr;
    DecoderSpec spec;
    Backend* backend = nullptr;  // outlives the decoder
    DType compute = DType::kF32;
    std::optional<DType> kv = {};  // type of keys and values; nothing: the backend's choice for `compute`
    bool dummy_weights = false;
    uint64_t seed = 0;
    int32_t rows_max = 0;        // T of the largest batch: activations are allocated once, at load
    int32_t logit_rows_max = 0;  // L of the largest batch
    DecoderOutput output = DecoderOutput::kLogits;
    int32_t sequences_max = 0;  // S of the largest batch; 0: logit_rows_max
    int32_t context_max = 0;    // tokens of the longest sequence; 0: the spec's
    int32_t block_tokens = 16;  // tokens per KV block
    int32_t adapter_slots = 0;  // 0: no adapters
    int32_t adapter_rank_max = 0;
  };
  static Result<std::unique_ptr<Decoder>> load(const LoadArgs& args);
  virtual ~Decoder() = default;

  virtual const DecoderSpec& spec() const = 0;
  virtual KvShape kv_shape(int32_t block_tokens) const = 0;
  virtual int64_t weight_bytes() const = 0;
  virtual int64_t activation_bytes() const = 0;
  virtual int64_t num_parameters() const = 0;
  virtual int64_t adapter_bytes() const = 0;
  /// Fills an adapter slot. REQUIRES: no step in flight names it.
  virtual void write_adapter(int32_t slot, const AdapterWeights& weights) = 0;
  /// Hands the lists of a step to the device, and its draws (or null) whose logits are logits(L). False when the step
  /// cannot be recorded or replayed.
  virtual bool stage(const Batch& batch, const SampleArgs* draws) = 0;
  /// Runs all layers, writes keys and values to the cache, returns LoadArgs::output of the batch's logit rows (owned
  /// by the decoder, valid until the next run). Asynchronous like the backend's operations, and may be recorded.
  /// REQUIRES: the batch was staged.
  virtual Tensor run(const Batch& batch, KvCache& cache) = 0;
  /// Where run() leaves `count` rows of logits [L, V] f32.
  virtual Tensor logits(int64_t count) const = 0;

  Tensor forward(const Batch& batch, KvCache& cache) {
    stage(batch, nullptr);
    return run(batch, cache);
  }
};

}  // namespace seraph
