// Which ids a sequence has seen and how often, for the repetition, frequency and presence penalties: a list
// of distinct ids (what backend.h's sample() wants) with an index by id. Grows by the tokens that a step drew;
// memory is kept when the object is reused for another sequence. Engine thread only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"

namespace seraph {

class TokenCounts {
 public:
  void clear();
  void add_prompt(std::span<const int32_t> ids);
  void add_output(int32_t id) { ++entry(id).in_output; }
  std::span<const TokenCount> counts() const { return counts_; }

 private:
  TokenCount& entry(int32_t id);
  void grow();

  std::vector<TokenCount> counts_;
  std::vector<int32_t> index_;  // open addressing: position in counts_ or -1; at most half full, a power of two
};

}  // namespace seraph
