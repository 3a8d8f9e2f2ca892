// Rotary position embedding: frequencies of every scaling, and the cos/sin rows that a step needs.
// Arithmetic follows transformers in its float32 steps, because at position 100,000 the rounding of an
// inverse frequency moves an angle by more than the tolerance of the logits.
// Sources: Su et al. 2021, arXiv:2104.09864; Peng et al. 2023 (YaRN), arXiv:2309.00071.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/model/batch.h"
#include "engine/model/spec.h"

namespace seraph {

/// Inverse frequencies [rotary_dim / 2] for a sequence of `total_tokens` (only dynamic NTK looks at it).
std::vector<float> rope_inverse_frequencies(const RopeSpec& spec, int64_t total_tokens);

/// cos and sin by position, computed once per position in chunks that are kept. Engine thread only.
class RopeTable {
 public:
  explicit RopeTable(const RopeSpec& spec);

  /// Fills rows [T, rotary_dim] of `out`: cos of rotary_dim / 2 angles, then sin of them.
  /// Dynamic NTK as transformers computes it in a fresh model: rows of the prompt turn with the base for
  /// the whole prompt's length, a generated token at position p with the base for p + 1 tokens.
  void gather(const Batch& batch, float* out);

 private:
  static constexpr int64_t kChunkPositions = 256;

  const float* row(int64_t position);
  void fill(std::span<const float> inverse_frequencies, int64_t position, float* out) const;
  void gather_scaled(int64_t total_tokens, int64_t position, float* out);

  const RopeSpec spec_;
  const std::vector<float> inverse_frequencies_;  // of every length up to the trained one
  std::vector<std::unique_ptr<float[]>> chunks_;  // [position / kChunkPositions], null until needed
  std::vector<float> scaled_;                     // dynamic NTK: the frequencies last used,
  int64_t scaled_tokens_ = 0;                     // for this many tokens
};

}  // namespace seraph
