#include "engine/engine_loop.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"
#include "engine/sample/logprobs.h"

namespace seraph {
namespace {

SchedulerLimits with_executor(SchedulerLimits limits, const StepExecutor& executor) {
  limits.steps_in_flight_max = executor.steps_in_flight_max();
  return limits;
}

}  // namespace

EngineLoop::EngineLoop(Args args)
    : executor_(*args.executor),
      submissions_(*args.submissions),
      events_(*args.events),
      shared_(*args.stats),
      control_(args.control),
      wake_(std::move(args.wake)),
      events_per_step_max_(args.limits.num_seqs_max),
      scheduler_(with_executor(args.limits, *args.executor), BlockHasher::random_secret()) {
  const auto num_seqs_max = static_cast<size_t>(args.limits.num_seqs_max);
  drawn_.reserve(num_seqs_max);
  draws_.reserve(num_seqs_max);
  pooled_.reserve(num_seqs_max);
  store_stats();
}

bool EngineLoop::run_round() {
  if (!events_.has_room_for_round()) return false;
  const MonotonicUs begin = now_us();
  bool worked = obey_control();
  worked |= take_submissions();
  if (!device_error_.empty()) {
    worked |= scheduler_.num_open() > 0;
    fail_open_requests();
  } else if (paused() && scheduler_.num_steps_in_flight() > 0) {
    collect();
    worked = true;
  } else if (!asleep_ && !wants_sleep() && !paused()) {
    worked |= step(begin);
  }
  wake_reader();
  if (!worked && was_busy_) scheduler_.check_integrity();
  was_busy_ = worked;
  if (worked) {
    shared_.last_sign_us.store(now_us(), std::memory_order_relaxed);
    store_stats();
  }
  return worked;
}

bool EngineLoop::wants_sleep() const {
  return control_ != nullptr && control_->sleep_level.load(std::memory_order_acquire) > 0;
}

bool EngineLoop::obey_control() {
  if (control_ == nullptr || !device_error_.empty()) return false;
  const bool sleep = wants_sleep();
  const uint64_t resets = control_->prefix_resets.load(std::memory_order_acquire);
  if (sleep == asleep_ && resets == prefix_resets_) return false;
  if (sleep != asleep_ && scheduler_.num_steps_in_flight() > 0) {
    collect();  // one step a round: that is what the event ring has room for
    return true;
  }
  if (resets != prefix_resets_) scheduler_.forget_prefixes();
  prefix_resets_ = resets;
  if (sleep && !asleep_) {
    fall_asleep();
  } else if (!sleep && asleep_ && !executor_.keep_kv(true)) {
    device_error_ = "the memory of the KV cache, given back for sleeping, is not to be had again";
  }
  asleep_ = sleep;
  return true;
}

/// What ran waits and is computed again after waking: its draws depend on seed and position only.
void EngineLoop::fall_asleep() {
  scheduler_.preempt_all();
  scheduler_.forget_prefixes();
  executor_.keep_kv(false);
}

bool EngineLoop::take_submissions() {
  requests_.clear();
  cancels_.clear();
  submissions_.drain(requests_, cancels_);
  if (requests_.empty() && cancels_.empty()) return false;
  for (std::unique_ptr<Request>& request : requests_) scheduler_.add(std::move(request));
  for (const RequestId id : cancels_) scheduler_.cancel(id);
  requests_.clear();
  publish_ended();
  wake_reader();  // before the step: a refusal or a cancel does not wait for the device
  return true;
}

bool EngineLoop::step(MonotonicUs round_begin) {
  const int64_t device_us_before = stats_.device_us;
  const StepPlan& plan = scheduler_.plan_step(round_begin);
  publish_ended();
  if (!plan.empty()) {
    stats_.step_tokens_last = plan.num_tokens;
    shared_.last_sign_us.store(round_begin, std::memory_order_relaxed);
    executor_.launch(plan);
  }
  if (scheduler_.num_steps_in_flight() == 0) return false;
  if (plan.empty() || scheduler_.num_steps_in_flight() == executor_.steps_in_flight_max()) collect();
  // With two steps in flight a round may collect more device time than it lasted.
  stats_.host_us += std::max<int64_t>(0, now_us() - round_begin - (stats_.device_us - device_us_before));
  return true;
}

void EngineLoop::collect() {
  const StepPlan& plan = scheduler_.oldest_in_flight();
  const StepResult result = executor_.collect();
  stats_.device_us += result.device_us;
  if (!result.status.ok) {
    device_error_ = "the device failed: " + result.status.message;
    shared_.failed.store(true, std::memory_order_release);
    return;
  }
  if (result.pooled_width > 0) {
    read_pooled(plan, result);
  } else {
    fill_prompt_logprobs(plan, result);
  }
  scheduler_.note_cost(plan, result.device_us);
  const MonotonicUs now = now_us();
  for (const Progress& progress : scheduler_.commit_step(drawn_)) publish_progress(progress, now);
  scheduler_.clear_ended();
  ++stats_.num_steps;
  stats_.last_step_us = now;
}

/// Whose vector is which; drawn_ needs a token that stands for it.
void EngineLoop::read_pooled(const StepPlan& plan, const StepResult& result) {
  drawn_.assign(plan.entries.size(), 0);
  pooled_.clear();
  const auto width = static_cast<size_t>(result.pooled_width);
  size_t begin = 0;
  for (const PlannedSequence& entry : plan.entries) {
    const size_t count = entry.draws ? width : 0;
    pooled_.push_back(result.pooled.subspan(begin, count));
    begin += count;
  }
  SERAPH_CHECK(begin == result.pooled.size(), "a vector for every prompt that ended");
}

/// Walks the result rows in the order of the plan: prompt logprobs go to their sequence, draws to draws_ and drawn_.
void EngineLoop::fill_prompt_logprobs(const StepPlan& plan, const StepResult& result) {
  drawn_.clear();
  draws_.clear();
  size_t row = 0;
  for (const PlannedSequence& entry : plan.entries) {
    for (int32_t p = entry.prompt_logprobs_begin; p < entry.prompt_logprobs_end; ++p, ++row) {
      if (entry.sequence->prompt_logprobs == nullptr) continue;
      (*entry.sequence->prompt_logprobs)[static_cast<size_t>(p) + 1] = to_position_logprobs(result.rows[row]);
    }
    draws_.push_back(entry.draws ? &result.rows[row++] : nullptr);
    drawn_.push_back(draws_.back() != nullptr ? draws_.back()->token : kLogitsNotFinite);
  }
  SERAPH_CHECK(row == result.rows.size(), "a result for every row that was asked for");
}

void EngineLoop::publish_progress(const Progress& progress, MonotonicUs now) {
  Sequence& sequence = *progress.sequence;
  Event event;
  event.id = sequence.request->id;
  event.token = progress.token;
  event.finish = progress.finish;
  event.stop_token = progress.stop_token;
  event.num_cached_tokens = sequence.cached_tokens;
  event.scheduled_us = sequence.scheduled_us;
  event.published_us = now;
  const auto entry = static_cast<size_t>(progress.entry);
  if (sequence.pools()) {
    event.pooled = std::make_unique<std::vector<float>>(pooled_[entry].begin(), pooled_[entry].end());
    return publish(std::move(event));
  }
  const SampleResult& draw = *draws_[entry];
  if (progress.token < 0) {
    event.token = -1;
    event.error = std::make_unique<std::string>(
        progress.token == kAllMasked
            ? "no token can be drawn: the request's masks (allowed ids, bad words, min_tokens, a constraint) leave none"
            : "no token can be drawn: the model's logits are not finite");
  } else if (sequence.request->sampling.num_logprobs >= 0) {
    event.logprobs = std::make_unique<PositionLogprobs>(to_position_logprobs(draw));
  }
  event.prompt_logprobs = std::move(sequence.prompt_logprobs);  // with the first token; null ever after
  publish(std::move(event));
}

void EngineLoop::publish_ended() {
  if (scheduler_.ended().empty()) return;
  const MonotonicUs now = now_us();
  for (const Ended& ended : scheduler_.ended()) {
    Event event;
    event.id = ended.sequence->request->id;
    event.finish = ended.finish;
    event.num_cached_tokens = ended.sequence->cached_tokens;
    event.scheduled_us = ended.sequence->scheduled_us;
    event.published_us = now;
    if (ended.finish == FinishReason::kError) event.error = std::make_unique<std::string>(ended.error);
    publish(std::move(event));
  }
  scheduler_.clear_ended();
}

void EngineLoop::publish(Event&& event) {
  if (event.finish != FinishReason::kNone) shared_.num_open.fetch_sub(1, std::memory_order_relaxed);
  events_.push(std::move(event));
  pushed_ = true;
}

void EngineLoop::wake_reader() {
  if (!pushed_) return;
  pushed_ = false;
  if (events_.publish()) wake_();
}

void EngineLoop::fail_open_requests() {
  for (int32_t i = 0; i < events_per_step_max_ && scheduler_.end_any(FinishReason::kError, device_error_); ++i) {
    publish_ended();
  }
}

void EngineLoop::cancel_all() {
  if (events_.has_room_for_round()) take_submissions();
  while (events_.has_room_for_round() && scheduler_.end_any(FinishReason::kCancelled, "")) publish_ended();
  wake_reader();
}

void EngineLoop::store_stats() {
  const SchedulerStats& scheduled = scheduler_.stats();
  const KvBlocks& blocks = scheduler_.blocks();
  stats_.num_running = scheduler_.num_running();
  stats_.num_waiting = scheduler_.num_waiting();
  stats_.kv_blocks_total = blocks.num_total();
  stats_.kv_blocks_held = blocks.num_held();
  stats_.kv_blocks_cached = blocks.num_cached();
  stats_.prefix_queries_tokens = scheduled.prefix_queries_tokens;
  stats_.prefix_hits_tokens = scheduled.prefix_hits_tokens;
  stats_.prompt_tokens = scheduled.prompt_tokens;
  stats_.generation_tokens = scheduled.generation_tokens;
  stats_.num_preemptions = scheduled.num_preemptions;
  stats_.num_swaps = scheduled.num_swaps;
  stats_.host_blocks_total = scheduler_.host_blocks().num_total();
  stats_.host_blocks_held = scheduler_.host_blocks().num_held();
  shared_.store(stats_);
}

}  // namespace seraph
