// EngineStats as atomics: written by the engine thread once a round, read by anybody. Each value is right by
// itself; two of them may be from neighbouring rounds.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/engine.h"

namespace seraph {

class SharedStats {
 public:
  /// Engine thread.
  void store(const EngineStats& now);
  EngineStats load() const;

  /// Requests accepted by submit() whose finishing event is not published yet.
  std::atomic<int64_t> num_open{0};
  /// When the engine thread last began or ended a step, or was given something to do.
  std::atomic<MonotonicUs> last_sign_us{0};
  std::atomic<bool> failed{false};

 private:
  std::atomic<int64_t> num_running_{0}, num_waiting_{0}, kv_blocks_total_{0}, kv_blocks_held_{0}, kv_blocks_cached_{0},
      prefix_queries_tokens_{0}, prefix_hits_tokens_{0}, prompt_tokens_{0}, generation_tokens_{0}, num_preemptions_{0},
      num_swaps_{0}, host_blocks_total_{0}, host_blocks_held_{0}, num_steps_{0}, step_tokens_last_{0}, device_us_{0},
      host_us_{0}, last_step_us_{0};
};

}  // namespace seraph
