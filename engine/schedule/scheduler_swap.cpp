// Taking blocks away from sequences, and where their content goes meanwhile.
#include <algorithm>

#include "engine/base/check.h"
#include "engine/schedule/scheduler.h"

namespace seraph {

void Scheduler::note_cost(const StepPlan& plan, int64_t device_us) {
  // A step of draws costs what reading the weights costs, however few its tokens: it says nothing about prompts.
  constexpr int32_t kTokensPerEntryMin = 4;
  if (plan.num_tokens < kTokensPerEntryMin * static_cast<int32_t>(plan.entries.size())) return;
  constexpr int64_t kNsPerUs = 1000;
  const int64_t now_ns = device_us * kNsPerUs / std::max(plan.num_tokens, 1);
  constexpr int64_t kWeightOfPast = 3;
  token_ns_ = token_ns_ < 0 ? now_ns : (kWeightOfPast * token_ns_ + now_ns) / (kWeightOfPast + 1);
}

void Scheduler::preempt_all() {
  SERAPH_CHECK(num_in_flight_ == 0, "no step in flight reads the blocks");
  while (!running_.empty()) preempt(*running_.back());
  // The cache's memory goes away before another step could copy anything.
  for (Sequence* sequence : waiting_) drop_swapped(*sequence);
  swaps_.clear();
}

void Scheduler::preempt(Sequence& sequence) {
  SERAPH_CHECK(running_.back() == &sequence, "the last in order is preempted");
  running_.pop_back();
  free_slots_.push_back(sequence.slot);
  sequence.slot = -1;
  release_adapter(sequence);
  if (is_worth_swapping(sequence)) swap_out(sequence);
  blocks_.release_all(sequence.blocks);
  sequence.keyed_blocks = 0;
  sequence.computed_tokens = 0;
  sequence.planned_tokens = 0;
  sequence.state = SequenceState::kWaiting;
  waiting_.insert(&sequence);
  ++stats_.num_preemptions;
}

bool Scheduler::is_worth_swapping(const Sequence& sequence) const {
  const int32_t num_blocks = blocks_for(sequence.computed_tokens);
  if (limits_.preemption == Preemption::kRecompute || num_blocks == 0) return false;
  // The executor keeps sums over rows of a prompt that pools: they begin with its first row.
  if (num_blocks > host_blocks_.num_available() || sequence.pools()) return false;
  if (limits_.preemption == Preemption::kSwap || token_ns_ < 0) return true;
  return num_blocks * limits_.swap_block_ns < sequence.computed_tokens * token_ns_;
}

/// The copies run before the next step, and behind those in flight, which may still be writing the last rows.
void Scheduler::swap_out(Sequence& sequence) {
  const auto num_blocks = static_cast<size_t>(blocks_for(sequence.computed_tokens));
  for (size_t i = 0; i < num_blocks; ++i) {
    const int32_t device = sequence.blocks[i];
    const int32_t host = host_blocks_.take();
    sequence.host_blocks.push_back(host);
    sequence.swapped_from.push_back(device);
    swaps_.push_back({.device = device, .host = host, .to_host = true});
  }
  sequence.swapped_tokens = sequence.computed_tokens;
  ++stats_.num_swaps;
}

/// Leading swapped blocks whose content is still where it was, and so need not be copied back.
int32_t Scheduler::count_unmoved(Sequence& sequence, int32_t& num_unheld) {
  if (!limits_.prefix_caching) return 0;
  const int32_t full_blocks = sequence.swapped_tokens / limits_.block_tokens;
  int32_t count = 0;
  for (; count < full_blocks; ++count) {
    const int32_t block = blocks_.find(block_key(sequence, count));
    if (block < 0 || block != sequence.swapped_from[static_cast<size_t>(count)]) break;
    num_unheld += blocks_.is_held(block) ? 0 : 1;
  }
  return count;
}

/// Behind the blocks that it already has.
void Scheduler::swap_in(Sequence& sequence) {
  for (size_t i = sequence.blocks.size(); i < sequence.host_blocks.size(); ++i) {
    const int32_t device = blocks_.take();
    sequence.blocks.push_back(device);
    swaps_.push_back({.device = device, .host = sequence.host_blocks[i], .to_host = false});
  }
  sequence.computed_tokens = sequence.swapped_tokens;
  drop_swapped(sequence);
}

/// Copies that were decided keep their order, so the host blocks may be given away at once.
void Scheduler::drop_swapped(Sequence& sequence) {
  host_blocks_.release_all(sequence.host_blocks);
  sequence.swapped_from.clear();
  sequence.swapped_tokens = 0;
}

}  // namespace seraph
