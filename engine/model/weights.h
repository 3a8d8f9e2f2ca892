// The weights of a decoder in the backend's layout, read from a checkpoint or made up.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/result.h"
#include "engine/model/decoder.h"
#include "kernels/backend.h"

namespace seraph {

/// q, k and v are one matrix, and so are gate and up. Vectors are f32; empty where the spec has none.
/// The MLP of one expert.
struct ExpertWeights {
  std::unique_ptr<Weight> gate_up;  // [2 experts.intermediate, hidden], interleaved for kSiluMul
  std::unique_ptr<Weight> down;     // [hidden, experts.intermediate]
};

struct LayerWeights {
  Buffer input_norm;            // [hidden]
  std::unique_ptr<Weight> qkv;  // [(num_heads + 2 num_kv_heads) * head_dim, hidden]
  Buffer qkv_bias;
  Buffer q_norm, k_norm;                     // [head_dim]
  std::unique_ptr<Weight> attention_output;  // [hidden, num_heads * head_dim]
  Buffer output_bias;
  Buffer mlp_norm;                  // [hidden]
  std::unique_ptr<Weight> gate_up;  // [2 intermediate, hidden], interleaved for kSiluMul
  Buffer gate_up_bias;              // ordered like gate_up's outputs
  std::unique_ptr<Weight> down;     // [hidden, intermediate]
  Buffer down_bias;
  // In place of gate_up and down, where the spec has experts:
  std::unique_ptr<Weight> router;      // [experts.count, hidden]
  std::vector<ExpertWeights> experts;  // [experts.count]
};

struct DecoderWeights {
  std::unique_ptr<Weight> embed;  // [vocab_size, hidden]
  std::unique_ptr<Weight> head;   // [vocab_size, hidden]; null: embed serves
  Buffer final_norm;              // [hidden]
  std::vector<LayerWeights> layers;
  int64_t bytes = 0;
  int64_t num_parameters = 0;

  const Weight* head_or_embed() const { return head != nullptr ? head.get() : embed.get(); }
};

/// Streams the tensors: pages of one are released before the next is read.
/// Errors: kCorrupt (missing tensor or wrong shape), kUnsupported (dtype), kOutOfMemory.
Result<DecoderWeights> load_weights(const Decoder::LoadArgs& args);

}  // namespace seraph
