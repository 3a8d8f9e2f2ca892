// Planning a step, in this order: share out the token budget, take blocks (preempting if needed), emit decodes
// then prefill chunks, admit new sequences.
#include <algorithm>

#include "engine/base/check.h"
#include "engine/schedule/scheduler.h"

namespace seraph {

const StepPlan& Scheduler::plan_step(MonotonicUs now) {
  SERAPH_CHECK(num_in_flight_ < limits_.steps_in_flight_max, "a plan slot is free");
  StepPlan& plan = plans_[(oldest_ + static_cast<size_t>(num_in_flight_)) % plans_.size()];
  fill_plan(plan, now);
  if (plan.empty()) ensure_progress(plan, now);
  if (plan.empty()) return plan;
  std::swap(plan.swaps, swaps_);
  swaps_.clear();
  ++num_in_flight_;
  ++num_planned_;
  return plan;
}

void Scheduler::fill_plan(StepPlan& plan, MonotonicUs now) {
  plan.entries.clear();
  plan.adapter_writes.clear();
  plan.swaps.clear();
  plan.num_tokens = 0;
  budget_ = limits_.step_tokens_max;
  logit_budget_ = limits_.prompt_logit_rows_max;
  share_out_budget();
  const bool preempted = take_blocks();
  for (Sequence* sequence : running_) {
    if (sequence->planned_tokens == 1 && sequence->remaining_tokens() == 1) emit(plan, *sequence);
  }
  for (Sequence* sequence : running_) {
    if (sequence->planned_tokens > 0) emit(plan, *sequence);
  }
  // What was preempted a moment ago must not come back for blocks that are not there.
  if (!preempted) admit(plan, now);
}

/// Nothing can be scheduled, nothing is in flight, and somebody waits: the one place that makes the engine move on.
/// The oldest sequence gets everything; if even that does not help, it can never run and ends with an error.
void Scheduler::ensure_progress(StepPlan& plan, MonotonicUs now) {
  while (plan.empty() && num_in_flight_ == 0 && !open_.empty()) {
    while (running_.size() > 1) preempt(*running_.back());
    fill_plan(plan, now);
    if (!plan.empty()) return;
    Sequence* oldest = running_.empty() ? *waiting_.begin() : running_.front();
    end(*oldest, FinishReason::kError,
        "the KV cache of " + std::to_string(limits_.num_blocks * limits_.block_tokens) +
            " tokens is too small for this request alone");
    fill_plan(plan, now);
  }
}

bool Scheduler::may_run(const Sequence& sequence) const {
  if (sequence.total_tokens() >= sequence.total_tokens_max) return false;  // its end is in flight
  return !(sequence.draws_need_host && sequence.pending_tokens > 0);
}

/// The next chunk of a sequence within the token budget and the budget of prompt logit rows; takes it from both.
int32_t Scheduler::claim_tokens(const Sequence& sequence) {
  int32_t tokens = std::min(sequence.remaining_tokens(), budget_);
  if (!sequence.prompt_logprobs_done()) {
    const int32_t begin = std::max(sequence.computed_tokens, sequence.prompt_logprobs_next);
    const int32_t rows_left = sequence.prompt_tokens - 1 - begin;
    if (rows_left > logit_budget_) tokens = std::min(tokens, begin - sequence.computed_tokens + logit_budget_);
    const int32_t rows = std::min(sequence.computed_tokens + tokens, sequence.prompt_tokens - 1) - begin;
    logit_budget_ -= std::max(rows, 0);
  }
  budget_ -= tokens;
  return tokens;
}

void Scheduler::share_out_budget() {
  for (Sequence* sequence : running_) {
    sequence->planned_tokens = 0;
    if (sequence->remaining_tokens() == 1 && may_run(*sequence)) sequence->planned_tokens = claim_tokens(*sequence);
  }
  for (Sequence* sequence : running_) {
    if (sequence->remaining_tokens() > 1 && may_run(*sequence)) sequence->planned_tokens = claim_tokens(*sequence);
  }
}

/// Blocks for everything planned, in order of running, so that who comes first takes from who comes last. True when
/// somebody was preempted.
bool Scheduler::take_blocks() {
  bool preempted = false;
  for (size_t i = 0; i < running_.size(); ++i) {  // running_ shrinks at its end meanwhile
    if (running_[i]->planned_tokens > 0) preempted |= take_blocks_for(*running_[i]);
  }
  return preempted;
}

bool Scheduler::take_blocks_for(Sequence& sequence) {
  bool preempted = false;
  const int32_t held = static_cast<int32_t>(sequence.blocks.size());
  const int32_t needed = blocks_for(sequence.computed_tokens + sequence.planned_tokens) - held;
  while (blocks_.num_available() < needed && running_.back() != &sequence) {
    preempt(*running_.back());
    preempted = true;
  }
  const int32_t taken = std::min(needed, blocks_.num_available());
  if (taken < needed) {
    // The last in order makes do with what is left; it waits with its blocks if that is nothing.
    const int32_t room = (held + taken) * limits_.block_tokens - sequence.computed_tokens;
    sequence.planned_tokens = std::min(sequence.planned_tokens, room);
  }
  for (int32_t i = 0; i < taken; ++i) sequence.blocks.push_back(blocks_.take());
  return preempted;
}

void Scheduler::emit(StepPlan& plan, Sequence& sequence) {
  PlannedSequence entry;
  entry.sequence = &sequence;
  entry.first_position = sequence.computed_tokens;
  entry.num_tokens = sequence.planned_tokens;
  entry.draws = sequence.remaining_tokens() == sequence.planned_tokens;
  const int32_t end = entry.first_position + entry.num_tokens;
  if (!sequence.prompt_logprobs_done()) {
    entry.prompt_logprobs_begin = std::max(entry.first_position, sequence.prompt_logprobs_next);
    entry.prompt_logprobs_end = std::max(entry.prompt_logprobs_begin, std::min(end, sequence.prompt_tokens - 1));
    sequence.prompt_logprobs_next = std::max(sequence.prompt_logprobs_next, entry.prompt_logprobs_end);
  }
  if (sequence.adapter_slot >= 0 && adapter_slots_.take_write(sequence.adapter_slot)) {
    plan.adapter_writes.push_back({.slot = sequence.adapter_slot, .adapter = sequence.request->adapter.get()});
  }
  plan.entries.push_back(entry);
  plan.num_tokens += entry.num_tokens;

  sequence.planned_tokens = 0;
  sequence.computed_tokens = end;
  ++sequence.steps_in_flight;
  if (entry.draws) ++sequence.pending_tokens;
  // Named now, not when the step is done: a sequence admitted next, even to this step, runs its attention after these
  // rows are written, so identical prompts that arrive together share them.
  name_full_blocks(sequence);
}

/// First come, first served, but for who waits for an adapter slot: others pass, so many as kPassedMax allows.
void Scheduler::admit(StepPlan& plan, MonotonicUs now) {
  constexpr int32_t kLookedPastMax = 256;  // a long queue for one adapter is not walked through in every step
  Sequence* passed = nullptr;              // the first that waits for a slot
  int32_t num_passed = 0;
  auto next = waiting_.begin();
  while (next != waiting_.end() && budget_ > 0 && running_.size() < static_cast<size_t>(limits_.num_seqs_max)) {
    Sequence& head = **next++;
    if (head.pending_tokens > 0) return;  // preempted a moment ago; its last token is still in flight
    if (!head.prompt_logprobs_done() && logit_budget_ == 0) return;
    if (!take_adapter(head, passed)) {
      if (++num_passed == kLookedPastMax) return;
      continue;
    }
    if (!admit_one(plan, head, now)) return release_adapter(head);
  }
}

/// False when the sequence has to wait for a slot; `passed` is who waits for one in front of it, or null.
bool Scheduler::take_adapter(Sequence& sequence, Sequence*& passed) {
  constexpr int32_t kPassedMax = 64;  // then nobody takes a slot before the one that waits has one
  if (sequence.request->adapter == nullptr) return true;
  if (passed != nullptr && passed->times_passed >= kPassedMax) return false;
  sequence.adapter_slot = adapter_slots_.take(sequence.request->adapter->id, num_planned_ - num_in_flight_);
  if (sequence.adapter_slot < 0) {
    if (passed == nullptr) passed = &sequence;
    return false;
  }
  if (passed != nullptr) ++passed->times_passed;
  return true;
}

void Scheduler::release_adapter(Sequence& sequence) {
  if (sequence.adapter_slot >= 0) adapter_slots_.release(sequence.adapter_slot, num_planned_);
  sequence.adapter_slot = -1;
}

/// Memory for all that will grow with a sequence, taken when it is admitted: waiting requests need none of it, and
/// steps allocate nothing.
void Scheduler::reserve_memory(Sequence& sequence) const {
  sequence.tokens.reserve(static_cast<size_t>(sequence.total_tokens_max));
  const auto blocks_max = static_cast<size_t>(blocks_for(sequence.total_tokens_max));
  sequence.blocks.reserve(blocks_max);
  if (limits_.prefix_caching) sequence.keys.reserve(blocks_max + 1);
}

/// Blocks that running prefills will still take for the tokens they have; admission leaves these alone.
int32_t Scheduler::blocks_promised() const {
  int32_t promised = 0;
  for (const Sequence* sequence : running_) {
    promised += std::max(0, blocks_for(sequence->total_tokens()) - static_cast<int32_t>(sequence->blocks.size()));
  }
  return promised;
}

bool Scheduler::admit_one(StepPlan& plan, Sequence& sequence, MonotonicUs now) {
  int32_t num_unheld = 0;
  const bool alone = running_.empty();
  const int32_t spare = blocks_.num_available() - blocks_promised() - watermark_blocks_;
  if (!alone && spare < 1) return false;
  const bool swapped = !sequence.host_blocks.empty();
  const int32_t hits = swapped ? count_unmoved(sequence, num_unheld) : count_prefix_hits(sequence, num_unheld);
  if (!alone && spare < blocks_for(sequence.total_tokens()) - hits + num_unheld) return false;

  reserve_memory(sequence);
  for (int32_t i = 0; i < hits; ++i) {
    const int32_t block = blocks_.find(block_key(sequence, i));
    blocks_.share(block);
    sequence.blocks.push_back(block);
  }
  sequence.keyed_blocks = hits;
  sequence.computed_tokens = hits * limits_.block_tokens;
  if (swapped) swap_in(sequence);
  waiting_.erase(&sequence);
  running_.insert(std::upper_bound(running_.begin(), running_.end(), &sequence, RunsBefore()), &sequence);
  sequence.state = SequenceState::kRunning;
  sequence.slot = free_slots_.back();
  free_slots_.pop_back();
  if (sequence.scheduled_us == 0) {
    sequence.scheduled_us = now;
    sequence.cached_tokens = sequence.computed_tokens;
    stats_.prompt_tokens += sequence.prompt_tokens;
    stats_.prefix_queries_tokens += limits_.prefix_caching ? sequence.prompt_tokens : 0;
    stats_.prefix_hits_tokens += sequence.cached_tokens;
  }

  const auto held = static_cast<int32_t>(sequence.blocks.size());
  const int32_t room = (held + blocks_.num_available()) * limits_.block_tokens - sequence.computed_tokens;
  sequence.planned_tokens = std::min(claim_tokens(sequence), room);
  const int32_t needed = blocks_for(sequence.computed_tokens + sequence.planned_tokens) - held;
  for (int32_t i = 0; i < needed; ++i) sequence.blocks.push_back(blocks_.take());
  if (sequence.planned_tokens > 0) emit(plan, sequence);
  return true;
}

/// Name of the sequence's block `index`. REQUIRES: all its tokens are known.
const BlockKey& Scheduler::block_key(Sequence& sequence, int32_t index) {
  const auto block_tokens = static_cast<size_t>(limits_.block_tokens);
  while (sequence.keys.size() <= static_cast<size_t>(index) + 1) {
    const size_t begin = (sequence.keys.size() - 1) * block_tokens;
    sequence.keys.push_back(
        hasher_.block(sequence.keys.back(), std::span(sequence.tokens).subspan(begin, block_tokens)));
  }
  return sequence.keys[static_cast<size_t>(index) + 1];
}

/// Leading blocks whose content is in the cache; never the one with the last token, whose logits are needed.
/// `num_unheld`: how many of them are unreferenced now, that is, count as available.
int32_t Scheduler::count_prefix_hits(Sequence& sequence, int32_t& num_unheld) {
  num_unheld = 0;
  if (!limits_.prefix_caching || !sequence.prompt_logprobs_done()) return 0;
  if (sequence.request->pooling == Pooling::kMean) return 0;  // a cached row has no hidden state to add up
  const int32_t hits_max = (static_cast<int32_t>(sequence.tokens.size()) - 1) / limits_.block_tokens;
  int32_t hits = 0;
  for (; hits < hits_max; ++hits) {
    const int32_t block = blocks_.find(block_key(sequence, hits));
    if (block < 0) break;
    num_unheld += blocks_.is_held(block) ? 0 : 1;
  }
  return hits;
}

void Scheduler::name_full_blocks(Sequence& sequence) {
  if (!limits_.prefix_caching) return;
  const int32_t known = std::min(sequence.computed_tokens, static_cast<int32_t>(sequence.tokens.size()));
  for (; sequence.keyed_blocks < known / limits_.block_tokens; ++sequence.keyed_blocks) {
    blocks_.set_key(sequence.blocks[static_cast<size_t>(sequence.keyed_blocks)],
                    block_key(sequence, sequence.keyed_blocks));
  }
}

}  // namespace seraph
