// Logprobs on their way back: room for the backend's answers, and the form that travels in events.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/request.h"
#include "kernels/backend.h"

namespace seraph {

/// Memory for the logprobs of one step's rows, reused from step to step. Engine thread only.
class LogprobArena {
 public:
  /// Points `results[i].logprobs` at room for 1 + rows[i].num_logprobs entries (none when it is -1).
  /// Earlier results become invalid. REQUIRES: results.size() == rows.size().
  void assign(std::span<const SampleRow> rows, std::span<SampleResult> results);

 private:
  std::vector<SampledLogprob> entries_;
};

/// The chosen token first, then the best ones, as SampleResult has them.
PositionLogprobs to_position_logprobs(const SampleResult& result);

}  // namespace seraph
