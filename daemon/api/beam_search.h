// Beam search over next-token log probabilities, in vLLM's way (golden/sampling/beam): each step takes the best
// candidates of every live beam; those that end go to the finished list, the best others live on. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/request.h"

namespace seraph {

struct BeamOptions {
  int32_t width = 1;
  int32_t tokens_max = 1;
  double length_penalty = 1.0;  // score = cumulative log probability / tokens ^ length_penalty
  bool early_stopping = false;  // the first `width` finished beams are the answer
  std::vector<TokenId> end_ids = {};
};

struct Beam {
  std::vector<TokenId> tokens = {};             // generated, with the one that ends it
  std::vector<PositionLogprobs> logprobs = {};  // of each token: itself, then the best
  double cumulative = 0;
  bool ended = false;  // by one of end_ids
};

class BeamSearch {
 public:
  explicit BeamSearch(BeamOptions options) : options_(std::move(options)), live_(1) {}

  /// How many of the best log probabilities advance() needs of each live beam.
  int32_t candidates() const { return 2 * options_.width; }
  const std::vector<Beam>& live() const { return live_; }
  /// One step. `next[i]` holds the best log probabilities after live()[i], in falling order.
  void advance(std::span<const PositionLogprobs> next);
  bool done() const { return live_.empty(); }
  /// The `width` best, best first. REQUIRES: done().
  std::vector<Beam> take_best();

 private:
  double score(const Beam& beam) const;
  bool settled() const;

  const BeamOptions options_;
  std::vector<Beam> live_;
  std::vector<Beam> finished_;
  int32_t num_steps_ = 0;
};

}  // namespace seraph
