// The engine thread's work, round by round: drain -> plan -> launch -> collect -> publish. Between launch and collect
// of one step the next one is planned and launched when the executor allows it. No locks, no I/O, and no allocation
// that grows with the number of requests, apart from what a new request brings and what an event carries.
// Engine thread only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/queue/event_ring.h"
#include "engine/queue/submit_ring.h"
#include "engine/schedule/scheduler.h"
#include "engine/shared_stats.h"
#include "engine/step_executor.h"

namespace seraph {

/// What other threads ask of the loop; ring its doorbell after a change.
struct EngineControl {
  std::atomic<int32_t> sleep_level{0};     // > 0: asleep
  std::atomic<bool> paused{false};         // no new step begins; what runs keeps its memory
  std::atomic<uint64_t> prefix_resets{0};  // counts wishes
};

class EngineLoop {
 public:
  struct Args {
    SchedulerLimits limits;            // steps_in_flight_max is the executor's
    StepExecutor* executor = nullptr;  // all outlive the loop
    SubmitRing* submissions = nullptr;
    EventRing* events = nullptr;
    SharedStats* stats = nullptr;
    const EngineControl* control = nullptr;  // null: nobody asks for anything
    std::function<void()> wake;              // called after publishing when the event ring's reader must be woken
  };
  explicit EngineLoop(Args args);

  /// One round. False when there is nothing to do, or no room for events: then sleep on the doorbell.
  bool run_round();
  /// Ends every open request with kCancelled, as far as the event ring has room.
  void cancel_all();

  const Scheduler& scheduler() const { return scheduler_; }

 private:
  bool wants_sleep() const;
  bool paused() const { return control_ != nullptr && control_->paused.load(std::memory_order_acquire); }
  bool obey_control();
  void fall_asleep();
  bool take_submissions();
  bool step(MonotonicUs round_begin);
  void collect();
  void read_pooled(const StepPlan& plan, const StepResult& result);
  void fill_prompt_logprobs(const StepPlan& plan, const StepResult& result);
  void publish_progress(const Progress& progress, MonotonicUs now);
  void publish_ended();
  void publish(Event&& event);
  void wake_reader();
  void fail_open_requests();
  void store_stats();

  StepExecutor& executor_;
  SubmitRing& submissions_;
  EventRing& events_;
  SharedStats& shared_;
  const EngineControl* const control_;
  const std::function<void()> wake_;
  const int32_t events_per_step_max_;  // what one round may publish besides answers to submissions and cancels
  Scheduler scheduler_;
  EngineStats stats_;
  std::string device_error_;  // not empty: the device is lost, every request ends with this
  bool asleep_ = false;
  uint64_t prefix_resets_ = 0;  // wishes fulfilled
  bool pushed_ = false;         // events since the last wake_reader()
  bool was_busy_ = false;       // to check integrity once when the engine falls idle

  // Scratch, reused every round.
  std::vector<std::unique_ptr<Request>> requests_;
  std::vector<RequestId> cancels_;
  std::vector<TokenId> drawn_;                  // by entry of the plan
  std::vector<const SampleResult*> draws_;      // by entry of the plan; null where it does not draw
  std::vector<std::span<const float>> pooled_;  // likewise, of a pooling model
};

}  // namespace seraph
