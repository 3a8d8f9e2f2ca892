// The life of a sequence: accepted, advanced by collected steps, ended. Planning is in scheduler_plan.cpp.
#include "engine/schedule/scheduler.h"

#include <algorithm>

#include "engine/base/check.h"

namespace seraph {

Scheduler::Scheduler(const SchedulerLimits& limits, std::array<uint64_t, 2> hash_secret)
    : limits_(limits),
      hasher_(hash_secret),
      watermark_blocks_(limits.num_blocks / 100),
      blocks_(limits.num_blocks),
      adapter_slots_(limits.num_adapter_slots),
      host_blocks_(limits.host_blocks),
      plans_(static_cast<size_t>(limits.steps_in_flight_max)) {
  SERAPH_CHECK(limits.num_seqs_max > 0 && limits.step_tokens_max > 0, "a step has room for something");
  SERAPH_CHECK(limits.prompt_logit_rows_max > 0, "prompt logprobs make progress");
  SERAPH_CHECK(limits.block_tokens > 0 && limits.block_tokens % 2 == 0, "KV blocks hold an even number of tokens");
  const auto num_seqs_max = static_cast<size_t>(limits.num_seqs_max);
  running_.reserve(num_seqs_max);
  progress_.reserve(num_seqs_max);
  for (int32_t slot = limits.num_seqs_max - 1; slot >= 0; --slot) free_slots_.push_back(slot);
  for (StepPlan& plan : plans_) plan.entries.reserve(num_seqs_max);
}

std::string Scheduler::refusal(const Request& request) const {
  const auto prompt_tokens = static_cast<int64_t>(request.prompt_ids.size());
  if (prompt_tokens == 0) return "the prompt is empty";
  const bool pools = request.pooling != Pooling::kNone;
  if (pools && !limits_.pooling) return "this model generates text, it does not pool";
  if (!pools && limits_.pooling) return "this model pools, it does not generate text";
  if (request.adapter != nullptr && limits_.num_adapter_slots == 0) return "this server was started without adapters";
  const int64_t room = pools ? 0 : 1;  // for one token after the prompt
  if (prompt_tokens + room > limits_.model_tokens_max) {
    return "the prompt has " + std::to_string(prompt_tokens) + " tokens; " +
           (pools ? "the limit is " : "with room for one more the limit is ") +
           std::to_string(limits_.model_tokens_max - room);
  }
  if (prompt_tokens + room > int64_t{limits_.num_blocks} * limits_.block_tokens) {
    return "the prompt has " + std::to_string(prompt_tokens) + " tokens, the KV cache holds " +
           std::to_string(int64_t{limits_.num_blocks} * limits_.block_tokens);
  }
  for (const TokenId id : request.prompt_ids) {
    if (id < 0 || id >= limits_.vocab_size) {
      return "prompt token id " + std::to_string(id) + " is outside the vocabulary of " +
             std::to_string(limits_.vocab_size);
    }
  }
  return "";
}

void Scheduler::add(std::unique_ptr<const Request> request) {
  auto owned = std::make_unique<Sequence>();
  Sequence& sequence = *owned;
  sequence.request = std::move(request);
  sequence.arrival = ++arrivals_;
  const Request& asked = *sequence.request;
  std::string error = refusal(asked);
  if (error.empty() && open_.contains(asked.id)) error = "the request id is in use";
  if (!error.empty()) {
    sequence.state = SequenceState::kFinished;
    ended_.push_back(Ended{&sequence, FinishReason::kError, std::move(error)});
    retired_.push_back(std::move(owned));
    return;
  }

  sequence.prompt_tokens = static_cast<int32_t>(asked.prompt_ids.size());
  const int64_t total_max = int64_t{sequence.prompt_tokens} + std::max(asked.sampling.tokens_max, 1);
  sequence.total_tokens_max = sequence.pools()
                                  ? sequence.prompt_tokens + 1
                                  : static_cast<int32_t>(std::min<int64_t>(total_max, limits_.model_tokens_max));
  sequence.draws_need_host = asked.sampling.frequency_penalty != 0.0F || asked.sampling.presence_penalty != 0.0F ||
                             asked.sampling.repetition_penalty != 1.0F || !asked.sampling.bad_words.empty() ||
                             asked.constraint != nullptr || asked.thinking_budget != nullptr;
  sequence.tokens = asked.prompt_ids.copy();
  if (limits_.prefix_caching) {
    const bool depends = limits_.keys_depend_on_prompt && limits_.keys_depend_on_prompt(sequence.prompt_tokens);
    sequence.keys.push_back(hasher_.root(asked.cache_salt, depends ? static_cast<uint64_t>(sequence.prompt_tokens) : 0,
                                         asked.adapter != nullptr ? asked.adapter->id : 0));
  }
  if (sequence.wants_prompt_logprobs()) {
    sequence.prompt_logprobs =
        std::make_unique<std::vector<PositionLogprobs>>(static_cast<size_t>(sequence.prompt_tokens));
  }
  waiting_.insert(&sequence);
  open_.emplace(asked.id, std::move(owned));
}

void Scheduler::cancel(RequestId id) {
  const auto found = open_.find(id);
  if (found != open_.end()) end(*found->second, FinishReason::kCancelled, "");
}

bool Scheduler::end_any(FinishReason reason, const std::string& error) {
  if (open_.empty()) return false;
  end(*open_.begin()->second, reason, error);
  return true;
}

void Scheduler::end(Sequence& sequence, FinishReason reason, std::string error) {
  ended_.push_back(Ended{&sequence, reason, std::move(error)});
  finish(sequence);
}

void Scheduler::finish(Sequence& sequence) {
  if (sequence.state == SequenceState::kWaiting) {
    waiting_.erase(&sequence);
    drop_swapped(sequence);
  } else {
    running_.erase(std::find(running_.begin(), running_.end(), &sequence));
    free_slots_.push_back(sequence.slot);
    release_adapter(sequence);
    // Steps in flight may still read and write these blocks; whoever gets them next runs after those steps.
    blocks_.release_all(sequence.blocks);
  }
  sequence.state = SequenceState::kFinished;
  const auto found = open_.find(sequence.request->id);
  retired_.push_back(std::move(found->second));
  open_.erase(found);
}

void Scheduler::clear_ended() {
  ended_.clear();
  std::erase_if(retired_, [](const std::unique_ptr<Sequence>& sequence) { return sequence->steps_in_flight == 0; });
}

Progress Scheduler::take_token(Sequence& sequence, TokenId token) {
  Progress progress{.sequence = &sequence, .token = token};
  if (token < 0) {
    // Whatever made the logits no numbers may be in these blocks: nobody else shall find them.
    if (token == kLogitsNotFinite) blocks_.forget(sequence.blocks);
    progress.finish = FinishReason::kError;
    finish(sequence);
    return progress;
  }
  if (sequence.pools()) {
    progress.token = -1;
    progress.finish = FinishReason::kStop;
    finish(sequence);
    return progress;
  }
  sequence.tokens.push_back(token);
  ++stats_.generation_tokens;
  const SamplingParams& sampling = sequence.request->sampling;
  const auto generated = static_cast<int32_t>(sequence.tokens.size()) - sequence.prompt_tokens;
  const auto contains = [token](std::span<const TokenId> ids) {
    return std::find(ids.begin(), ids.end(), token) != ids.end();
  };
  // Before tokens_min an end can only be drawn where a constraint leaves nothing else.
  if (generated >= sampling.tokens_min || sequence.request->constraint != nullptr) {
    if (!sampling.ignore_eos && contains(limits_.eos_ids)) {
      progress.finish = FinishReason::kStop;
    } else if (contains(sampling.stop_token_ids)) {
      progress.finish = FinishReason::kStop;
      progress.stop_token = token;
    }
  }
  if (progress.finish == FinishReason::kNone &&
      static_cast<int32_t>(sequence.tokens.size()) >= sequence.total_tokens_max) {
    progress.finish = FinishReason::kLength;
  }
  if (sequence.state == SequenceState::kRunning) name_full_blocks(sequence);
  if (progress.finish != FinishReason::kNone) finish(sequence);
  return progress;
}

std::span<const Progress> Scheduler::commit_step(std::span<const TokenId> drawn) {
  SERAPH_CHECK(num_in_flight_ > 0, "a step is collected once");
  const StepPlan& plan = plans_[oldest_];
  SERAPH_CHECK(drawn.size() == plan.entries.size(), "every entry of the plan has a result");
  oldest_ = (oldest_ + 1) % plans_.size();
  --num_in_flight_;
  progress_.clear();
  for (size_t i = 0; i < drawn.size(); ++i) {
    Sequence& sequence = *plan.entries[i].sequence;
    --sequence.steps_in_flight;
    if (!plan.entries[i].draws) continue;
    --sequence.pending_tokens;
    if (sequence.state == SequenceState::kFinished) continue;
    progress_.push_back(take_token(sequence, drawn[i]));
    progress_.back().entry = static_cast<int32_t>(i);
  }
  return progress_;
}

void Scheduler::check_integrity() const {
  blocks_.check_integrity(running_.empty());
  host_blocks_.check_integrity(waiting_.empty());
  SERAPH_CHECK(running_.size() + waiting_.size() == open_.size(), "an open sequence runs or waits");
  SERAPH_CHECK(running_.size() + free_slots_.size() == static_cast<size_t>(limits_.num_seqs_max),
               "every running sequence has one slot");
  SERAPH_CHECK(!running_.empty() || adapter_slots_.num_held() == 0, "nobody holds an adapter slot when nothing runs");
}

}  // namespace seraph
