// The operation of a mixture of experts, for devices that have it. Contracts as in backend.h: rows are exact, nothing
// is allocated in the steady state, the caller promises shapes and dtypes. Includes the standard library and backend.h.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/backend.h"

namespace seraph {

/// One expert: an MLP of its own. Its adapters, or null, as LinearArgs has them.
struct Expert {
  const Weight* gate_up = nullptr;  // [2 I, K], packed with PackArgs::gate_up
  const Weight* down = nullptr;     // [N, I]
  const LoraBank* gate_up_lora = nullptr;
  const LoraBank* down_lora = nullptr;
};

struct ExpertsArgs {
  Tensor x;                         // [T, K] input dtype
  Tensor scores;                    // [T, E] f32: the router's logits
  std::span<const Expert> experts;  // [E]
  int32_t top_k = 0;                // 1 .. E experts for each row: those with the largest softmax(scores), the
                                    // smaller index on a tie
  bool normalise = false;           // their weights add up to 1; else they are what the softmax over all E says
  std::span<const int32_t> lora_slots = {};  // [T] host; empty: no row has an adapter
  Tensor
      out;  // [T, N] residual dtype, += sum over a row's experts in ascending order of weight * down(silu(gate) * up)
};

class ExpertsBackend {
 public:
  virtual ~ExpertsBackend() = default;
  /// Source: Shazeer et al. 2017, arXiv:1701.06538; Fedus et al. 2021, arXiv:2101.03961.
  virtual void experts(const ExpertsArgs& args) = 0;
};

}  // namespace seraph
