// What a decoder is, as data: families map config.json to a DecoderSpec and tensor names to slots; the
// one Decoder runs any spec. Plain values, read-only after loading.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace seraph {

/// Rotary position embedding: angle of pair i at position p is p * inv_freq(i), cos and sin are scaled.
struct RopeSpec {
  enum class Scaling { kNone, kLinear, kDynamicNtk, kLlama3, kYarn };
  Scaling scaling = Scaling::kNone;
  int32_t rotary_dim = 0;
  double base = 10000.0;
  double factor = 1.0;
  double original_positions = 0;  // llama3, yarn, dynamic: the trained context
  double low_freq_factor = 1.0;   // llama3
  double high_freq_factor = 4.0;  // llama3
  double beta_fast = 32.0;        // yarn
  double beta_slow = 1.0;         // yarn
  bool truncate = true;           // yarn: round the ramp's ends
  double attention_factor = 1.0;  // yarn: multiplies cos and sin
};

/// Where the checkpoint keeps each weight. `layer` takes the layer's index for {}; the names below it follow
/// that prefix; ".weight" and ".bias" are appended to all but the head and the embedding.
struct TensorNames {
  std::string embed = "model.embed_tokens.weight";  // [vocab_size, hidden]
  std::string final_norm = "model.norm";            // [hidden]
  std::string head = "lm_head.weight";              // [vocab_size, hidden]; absent when tied
  std::string layer = "model.layers.{}.";
  std::string input_norm = "input_layernorm";         // [hidden]
  std::string q = "self_attn.q_proj";                 // [num_heads * head_dim, hidden]
  std::string k = "self_attn.k_proj";                 // [num_kv_heads * head_dim, hidden]
  std::string v = "self_attn.v_proj";                 // [num_kv_heads * head_dim, hidden]
  std::string q_norm = "self_attn.q_norm";            // [head_dim]
  std::string k_norm = "self_attn.k_norm";            // [head_dim]
  std::string attention_output = "self_attn.o_proj";  // [hidden, num_heads * head_dim]
  std::string mlp_norm = "post_attention_layernorm";  // [hidden]
  std::string gate = "mlp.gate_proj";                 // [intermediate, hidden]
  std::string up = "mlp.up_proj";                     // [intermediate, hidden]
  std::string down = "mlp.down_proj";                 // [hidden, intermediate]
  std::string router = "mlp.gate";                    // [experts.count, hidden]
  std::string expert = "mlp.experts.{}.";             // takes the expert's index; the names below it follow
  std::string expert_gate = "gate_proj";              // [experts.intermediate, hidden]
  std::string expert_up = "up_proj";                  // [experts.intermediate, hidden]
  std::string expert_down = "down_proj";              // [hidden, experts.intermediate]
};

/// A mixture of experts in place of the MLP of some layers.
struct ExpertsSpec {
  int32_t count = 0;  // 0: none anywhere
  int32_t top_k = 0;
  int32_t intermediate = 0;
  bool normalise = false;         // weights of a row's experts add up to 1
  std::vector<bool> layers = {};  // [num_layers] which have it
};

struct DecoderSpec {
  std::string family;  // "qwen2", for messages and metrics
  int32_t num_layers = 0;
  int32_t hidden = 0;
  int32_t intermediate = 0;
  int32_t num_heads = 0;
  int32_t num_kv_heads = 0;
  int32_t head_dim = 0;
  int32_t vocab_size = 0;
  int32_t max_positions = 0;  // context the checkpoint claims, with its rope scaling
  float norm_eps = 1e-6F;
  bool qk_norm = false;  // RMSNorm of each q and k head before rotation (Qwen3)
  bool qkv_bias = false;
  bool output_bias = false;  // of o_proj
  bool mlp_bias = false;
  bool tied_head = false;
  ExpertsSpec experts;
  RopeSpec rope;
  std::vector<int32_t> window;        // [num_layers] 0: full attention, else the sliding window
  DType stored_dtype = DType::kBf16;  // config.json's torch_dtype / dtype: what --dtype auto means
  TensorNames names;

  bool has_experts(int32_t layer) const { return experts.count > 0 && experts.layers[static_cast<size_t>(layer)]; }
  /// Width of all that one layer holds of an MLP.
  int64_t mlp_width(int32_t layer) const {
    return has_experts(layer) ? int64_t{experts.count} * experts.intermediate : int64_t{intermediate};
  }
  /// True when the keys of a prompt of this length differ from those of the same tokens in a prompt of
  /// another length (dynamic NTK past the trained context). Such prompts may share KV blocks only with
  /// prompts of exactly their length. Keys of generated tokens depend on their position alone.
  bool keys_depend_on_prompt(int32_t prompt_tokens) const {
    return rope.scaling == RopeSpec::Scaling::kDynamicNtk && prompt_tokens > rope.original_positions;
  }
};

}  // namespace seraph
