// One row of logits to one token, as Backend::sample promises: edits, filters, the draw, logprobs. Works
// without sorting the vocabulary: one vector pass measures how the logits are spread, another picks the
// few that can matter, and only those are ordered. One instance per thread; allocates in reserve() only.
#pragma once

#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/kernels.h"

namespace seraph::cpu {

/// Masks, bias and penalties, in the order of the contract. Ids from `vocab_size` on are left alone.
void edit_logits(const SampleRow& row, float* logits, int64_t vocab_size);

/// An id that survived the filters.
struct Candidate {
  int32_t id = 0;
  float logit = 0.0F;
  double weight = 0.0;  // exp(logit - largest logit)
};

class Sampler {
 public:
  explicit Sampler(const Kernels& kernels) : kernels_(kernels) {}

  void reserve(int64_t vocab_max);
  /// `logits` [columns] may be changed; ids from `vocab_size` on are never drawn.
  void sample(const SampleRow& row, float* logits, int64_t columns, int64_t vocab_size, SampleResult& result);
  /// What min_p, top_k and top_p leave of logits that are already divided by the temperature, in no order.
  /// The largest logit is `max_logit`. Valid until the next call.
  std::span<const Candidate> filter(const SampleRow& row, const float* logits, int64_t vocab_size, float max_logit);

 private:
  int64_t draw(const SampleRow& row, float* logits, int64_t vocab_size);
  /// Fills candidates_ with all ids whose logit is at least `border`; weights are exp(logit - max_logit).
  void collect(const float* logits, int64_t count, float max_logit, float border);
  void keep_top_k(int64_t k);
  /// Keeps the heaviest while the weight before them is below `mass`; at least one.
  void keep_mass(double mass);
  double candidate_mass() const;
  int64_t draw_candidates(const SampleRow& row, float max_logit) const;
  void report_logprobs(const SampleRow& row, const float* logits, int64_t columns, SampleResult& result);

  const Kernels& kernels_;
  std::vector<float> untouched_;  // the logits before edits, when logprobs are wanted too
  std::vector<int32_t> ids_;
  std::vector<Candidate> candidates_;
};

/// Philox4x32-10. Source: Salmon et al. 2011.
struct PhiloxWords {
  uint32_t word[4];
};
PhiloxWords philox4x32(PhiloxWords counter, uint32_t key_low, uint32_t key_high, int32_t rounds);

/// The noise of one word: -log(-log1p(-u)).
float gumbel_noise(uint32_t word);

}  // namespace seraph::cpu
