#include "engine/shared_stats.h"

namespace seraph {

void SharedStats::store(const EngineStats& now) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  num_running_.store(now.num_running, kRelaxed);
  num_waiting_.store(now.num_waiting, kRelaxed);
  kv_blocks_total_.store(now.kv_blocks_total, kRelaxed);
  kv_blocks_held_.store(now.kv_blocks_held, kRelaxed);
  kv_blocks_cached_.store(now.kv_blocks_cached, kRelaxed);
  prefix_queries_tokens_.store(now.prefix_queries_tokens, kRelaxed);
  prefix_hits_tokens_.store(now.prefix_hits_tokens, kRelaxed);
  prompt_tokens_.store(now.prompt_tokens, kRelaxed);
  generation_tokens_.store(now.generation_tokens, kRelaxed);
  num_preemptions_.store(now.num_preemptions, kRelaxed);
  num_swaps_.store(now.num_swaps, kRelaxed);
  host_blocks_total_.store(now.host_blocks_total, kRelaxed);
  host_blocks_held_.store(now.host_blocks_held, kRelaxed);
  num_steps_.store(now.num_steps, kRelaxed);
  step_tokens_last_.store(now.step_tokens_last, kRelaxed);
  device_us_.store(now.device_us, kRelaxed);
  host_us_.store(now.host_us, kRelaxed);
  last_step_us_.store(now.last_step_us, kRelaxed);
}

EngineStats SharedStats::load() const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  EngineStats now;
  now.num_running = num_running_.load(kRelaxed);
  now.num_waiting = num_waiting_.load(kRelaxed);
  now.kv_blocks_total = kv_blocks_total_.load(kRelaxed);
  now.kv_blocks_held = kv_blocks_held_.load(kRelaxed);
  now.kv_blocks_cached = kv_blocks_cached_.load(kRelaxed);
  now.prefix_queries_tokens = prefix_queries_tokens_.load(kRelaxed);
  now.prefix_hits_tokens = prefix_hits_tokens_.load(kRelaxed);
  now.prompt_tokens = prompt_tokens_.load(kRelaxed);
  now.generation_tokens = generation_tokens_.load(kRelaxed);
  now.num_preemptions = num_preemptions_.load(kRelaxed);
  now.num_swaps = num_swaps_.load(kRelaxed);
  now.host_blocks_total = host_blocks_total_.load(kRelaxed);
  now.host_blocks_held = host_blocks_held_.load(kRelaxed);
  now.num_steps = num_steps_.load(kRelaxed);
  now.step_tokens_last = step_tokens_last_.load(kRelaxed);
  now.device_us = device_us_.load(kRelaxed);
  now.host_us = host_us_.load(kRelaxed);
  now.last_step_us = last_step_us_.load(kRelaxed);
  now.failed = failed.load(std::memory_order_acquire);
  return now;
}

}  // namespace seraph
