// Decides what every step computes. Integers in, plan out: no device, no clock of its own, no locks; engine
// thread only. The caller launches each plan, collects the oldest launched one when it likes, and reports the
// drawn tokens with commit_step(). Plans execute in launch order, which is what makes it safe to give a
// block away while a step in flight still reads it.
//
// One token budget per step: decodes first, then prefills that run, then new sequences, first come, first served
// within a priority. When blocks run out the last running sequence in that order is preempted: it gives
// back its blocks (which stay findable in the prefix cache) and waits in its old place. What the blocks held is copied
// to host memory and back when that is cheaper, else computed again; its draws depend on seed and position only, so its
// text does not change.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/request.h"
#include "engine/schedule/adapter_slots.h"
#include "engine/schedule/kv_blocks.h"
#include "engine/schedule/sequence.h"

namespace seraph {

/// What becomes of a preempted sequence's keys and values.
enum class Preemption : uint8_t {
  kByCost,     // whatever takes less time, as far as that is known
  kSwap,       // to host memory while it has room
  kRecompute,  // dropped
};

struct SchedulerLimits {
  int32_t num_seqs_max = 0;           // sequences in one step
  int32_t step_tokens_max = 0;        // token budget of a step
  int32_t prompt_logit_rows_max = 0;  // rows of a step whose logits are needed for prompt logprobs only
  int32_t model_tokens_max = 0;       // prompt + generated
  int32_t vocab_size = 0;
  int32_t block_tokens = 16;
  int32_t num_blocks = 0;
  int32_t host_blocks = 0;    // room for preempted sequences; 0: they are always computed again
  int64_t swap_block_ns = 0;  // to host memory and back
  Preemption preemption = Preemption::kByCost;
  int32_t steps_in_flight_max = 1;
  int32_t num_adapter_slots = 0;  // different adapters in one step
  bool prefix_caching = true;
  bool pooling = false;  // requests pool; else they generate
  std::vector<TokenId> eos_ids = {};
  /// True when keys of a prompt of this length are rotated by an amount that depends on the length; null: never.
  std::function<bool(int32_t prompt_tokens)> keys_depend_on_prompt = {};
};

/// What one sequence does in a step: `num_tokens` rows from position `first_position` on.
struct PlannedSequence {
  Sequence* sequence = nullptr;
  int32_t first_position = 0;
  int32_t num_tokens = 0;
  bool draws = false;  // the last row draws the token at first_position + num_tokens; of a pooling request: ends it
  int32_t prompt_logprobs_begin = 0;  // rows (positions) begin .. end report the logprob of the prompt token after them
  int32_t prompt_logprobs_end = 0;
};

/// An adapter that is to be written to a slot before the step.
struct AdapterWrite {
  int32_t slot = 0;
  const Adapter* adapter = nullptr;  // lives as long as the plan
};

/// A whole KV block copied between device and host memory.
struct SwappedBlock {
  int32_t device = 0;
  int32_t host = 0;
  bool to_host = true;
};

struct StepPlan {
  std::vector<SwappedBlock> swaps;  // before everything else of the step, in this order
  std::vector<PlannedSequence> entries;
  std::vector<AdapterWrite> adapter_writes;
  int32_t num_tokens = 0;
  bool empty() const { return entries.empty(); }
};

/// Why a step has no token for a sequence that it drew for.
constexpr TokenId kLogitsNotFinite = -1;  // SampleResult::token as a device leaves it
constexpr TokenId kAllMasked = -2;

/// What a collected step meant for one sequence. `sequence` is valid until clear_ended().
struct Progress {
  Sequence* sequence = nullptr;
  int32_t entry = 0;   // index in the plan
  TokenId token = -1;  // negative with kError: why no token could be drawn
  FinishReason finish = FinishReason::kNone;
  TokenId stop_token = -1;
};

/// A sequence that ended without a step: cancelled, refused, or failed. Likewise valid until clear_ended().
struct Ended {
  Sequence* sequence = nullptr;
  FinishReason finish = FinishReason::kCancelled;
  std::string error = {};
};

struct SchedulerStats {
  int64_t prefix_queries_tokens = 0;
  int64_t prefix_hits_tokens = 0;
  int64_t prompt_tokens = 0;
  int64_t generation_tokens = 0;
  int64_t num_preemptions = 0;
  int64_t num_swaps = 0;  // preemptions whose blocks went to host memory
};

class Scheduler {
 public:
  Scheduler(const SchedulerLimits& limits, std::array<uint64_t, 2> hash_secret);

  /// Takes the request over. A request that can never run ends at once with kError.
  void add(std::unique_ptr<const Request> request);
  /// Ends the request with kCancelled; its blocks are free for the next plan. Unknown ids are ignored.
  void cancel(RequestId id);
  /// Ends one open request, whichever; false when none is open. For shutdown and the end after a device fault.
  bool end_any(FinishReason reason, const std::string& error);

  /// Plans the next step and counts it as in flight; an empty plan is not. REQUIRES: fewer than
  /// steps_in_flight_max in flight. The plan stays valid until its commit_step().
  const StepPlan& plan_step(MonotonicUs now);
  /// The oldest step in flight is done: `drawn[i]` is the token of entries[i] where it draws (kLogitsNotFinite,
  /// kAllMasked: none could be drawn, the sequence ends with kError), else ignored. Returns the progress of each entry
  /// that drew for a sequence still open, in order of the plan.
  std::span<const Progress> commit_step(std::span<const TokenId> drawn);
  /// What the device took for a step: so the scheduler learns what computing a token again costs.
  void note_cost(const StepPlan& plan, int64_t device_us);
  /// The plan that commit_step() will take next. REQUIRES: num_steps_in_flight() > 0.
  const StepPlan& oldest_in_flight() const { return plans_[oldest_]; }
  int32_t num_steps_in_flight() const { return num_in_flight_; }

  /// What ended by add(), cancel(), end_any() and plan_step() since the last clear_ended().
  std::span<const Ended> ended() const { return ended_; }
  /// Forgets ended() and frees every finished sequence that no step in flight refers to.
  void clear_ended();

  /// Later requests find nothing of earlier ones; running ones keep what they hold.
  void forget_prefixes() { blocks_.forget_all(); }
  /// Every running sequence gives back its blocks and waits to be computed again. REQUIRES: no step in flight.
  void preempt_all();

  bool idle() const { return open_.empty() && num_in_flight_ == 0; }
  int32_t num_open() const { return static_cast<int32_t>(open_.size()); }
  int32_t num_running() const { return static_cast<int32_t>(running_.size()); }
  int32_t num_waiting() const { return static_cast<int32_t>(waiting_.size()); }
  const KvBlocks& blocks() const { return blocks_; }
  /// The pool in host memory; nothing in it is ever cached.
  const KvBlocks& host_blocks() const { return host_blocks_; }
  const SchedulerStats& stats() const { return stats_; }
  /// Counts of blocks, slots and sequences agree; when idle nothing is held.
  void check_integrity() const;

 private:
  struct RunsBefore {
    bool operator()(const Sequence* a, const Sequence* b) const { return runs_before(*a, *b); }
  };

  std::string refusal(const Request& request) const;
  void fill_plan(StepPlan& plan, MonotonicUs now);
  void share_out_budget();
  bool take_blocks();
  bool take_blocks_for(Sequence& sequence);
  void emit(StepPlan& plan, Sequence& sequence);
  void admit(StepPlan& plan, MonotonicUs now);
  bool take_adapter(Sequence& sequence, Sequence*& passed);
  void release_adapter(Sequence& sequence);
  bool admit_one(StepPlan& plan, Sequence& sequence, MonotonicUs now);
  void ensure_progress(StepPlan& plan, MonotonicUs now);

  bool may_run(const Sequence& sequence) const;
  int32_t claim_tokens(const Sequence& sequence);
  int32_t blocks_for(int32_t tokens) const { return (tokens + limits_.block_tokens - 1) / limits_.block_tokens; }
  int32_t blocks_promised() const;
  void reserve_memory(Sequence& sequence) const;
  const BlockKey& block_key(Sequence& sequence, int32_t index);
  int32_t count_prefix_hits(Sequence& sequence, int32_t& num_unheld);
  void name_full_blocks(Sequence& sequence);
  void preempt(Sequence& sequence);
  bool is_worth_swapping(const Sequence& sequence) const;
  void swap_out(Sequence& sequence);
  void swap_in(Sequence& sequence);
  void drop_swapped(Sequence& sequence);
  int32_t count_unmoved(Sequence& sequence, int32_t& num_unheld);
  void finish(Sequence& sequence);
  void end(Sequence& sequence, FinishReason reason, std::string error);
  Progress take_token(Sequence& sequence, TokenId token);

  const SchedulerLimits limits_;
  const BlockHasher hasher_;
  const int32_t watermark_blocks_;  // kept free at admission so that running sequences can grow

  KvBlocks blocks_;
  AdapterSlots adapter_slots_;
  KvBlocks host_blocks_;
  std::vector<SwappedBlock> swaps_;  // decided, not yet part of a plan
  int64_t token_ns_ = -1;            // of a token of a prompt, as lately seen; -1: none was computed yet
  std::unordered_map<RequestId, std::unique_ptr<Sequence>> open_;
  std::vector<std::unique_ptr<Sequence>> retired_;  // finished, not freed yet
  std::set<Sequence*, RunsBefore> waiting_;
  std::vector<Sequence*> running_;  // in order of runs_before
  std::vector<int32_t> free_slots_;
  uint64_t arrivals_ = 0;

  std::vector<StepPlan> plans_;  // a ring: oldest_ .. oldest_ + num_in_flight_
  size_t oldest_ = 0;
  int32_t num_in_flight_ = 0;
  int64_t num_planned_ = 0;   // steps since the start; the number of the latest
  int32_t budget_ = 0;        // tokens left in the step being planned
  int32_t logit_budget_ = 0;  // prompt logit rows left in it
  std::vector<Progress> progress_;
  std::vector<Ended> ended_;
  SchedulerStats stats_;
};

}  // namespace seraph
