// The one decoder: runs a DecoderSpec with weights in the backend's layout. Loading streams tensor by
// tensor (file pages -> pack -> release), so peak memory is the final size plus one tensor.
// Engine thread only after load().
#pragma once

#include <memory>
#include <optional>

#include "engine/base/result.h"
#include "engine/checkpoint/checkpoint.h"
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
  };
  static Result<std::unique_ptr<Decoder>> load(const LoadArgs& args);
  virtual ~Decoder() = default;

  virtual const DecoderSpec& spec() const = 0;
  virtual KvShape kv_shape(int32_t block_tokens) const = 0;
  virtual int64_t weight_bytes() const = 0;
  virtual int64_t activation_bytes() const = 0;
  virtual int64_t num_parameters() const = 0;
  /// Runs all layers, writes keys and values to the cache, returns LoadArgs::output of the batch's logit rows (owned
  /// by the decoder, valid until the next forward). Asynchronous like the backend's operations.
  virtual Tensor forward(const Batch& batch, KvCache& cache) = 0;
};

}  // namespace seraph
