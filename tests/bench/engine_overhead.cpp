// What the engine itself costs per step: the real loop (rings, scheduler, batch, sampling rows, events) on a device
// that takes no time. Prints the median of a decode step by batch size. Usage: bench_engine_overhead [context_tokens]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "engine/batch_builder.h"
#include "engine/engine_loop.h"
#include "engine/sample/sample_rows.h"

namespace seraph {
namespace {

/// Builds batch and sampling rows as DecoderExecutor does, then answers with tokens out of thin air.
class FreeExecutor final : public StepExecutor {
 public:
  explicit FreeExecutor(const SchedulerLimits& limits)
      : model_{.vocab_size = limits.vocab_size, .eos_ids = limits.eos_ids},
        builder_(limits.step_tokens_max, limits.num_seqs_max, limits.step_tokens_max, limits.block_tokens),
        states_(static_cast<size_t>(limits.num_seqs_max)) {}

  int32_t steps_in_flight_max() const override { return 1; }

  void launch(const StepPlan& plan) override {
    builder_.build(plan);
    rows_.clear();
    for (const PlannedSequence& entry : plan.entries) {
      if (!entry.draws) continue;
      const Sequence& sequence = *entry.sequence;
      SampleState& state = states_[static_cast<size_t>(sequence.slot)];
      state.follow(*sequence.request, sequence.tokens, model_);
      rows_.push_back(make_draw_row(sequence.request->sampling, state, {.position = entry.first_position + 1}));
    }
    results_.resize(rows_.size());
    for (size_t i = 0; i < results_.size(); ++i) {
      results_[i] = SampleResult{.token = 100 + static_cast<int32_t>((i * 31 + num_steps_) % 1000)};
    }
    ++num_steps_;
  }
  StepResult collect() override { return StepResult{.rows = results_}; }

 private:
  const SampleModel model_;
  BatchBuilder builder_;
  std::vector<SampleState> states_;
  std::vector<SampleRow> rows_;
  std::vector<SampleResult> results_;
  size_t num_steps_ = 0;
};

double us_per_step(int32_t num_seqs, int32_t context_tokens, bool penalties) {
  constexpr int32_t kSteps = 2000;
  SchedulerLimits limits;
  limits.num_seqs_max = num_seqs;
  limits.step_tokens_max = 2048;
  limits.prompt_logit_rows_max = 8;
  limits.model_tokens_max = context_tokens + kSteps + 100;
  limits.vocab_size = 100000;
  limits.block_tokens = 16;
  limits.num_blocks = num_seqs * (limits.model_tokens_max / 16 + 1);
  limits.eos_ids = {2, 3};
  FreeExecutor executor(limits);
  Doorbell doorbell;
  SubmitRing submissions(4096, doorbell);
  EventRing events({.drained_max = submissions.drain_max(), .events_per_step_max = static_cast<size_t>(num_seqs)},
                   doorbell);
  SharedStats stats;
  EngineLoop loop({.limits = limits,
                   .executor = &executor,
                   .submissions = &submissions,
                   .events = &events,
                   .stats = &stats,
                   .wake = [] {}});
  for (int32_t i = 0; i < num_seqs; ++i) {
    auto request = std::make_unique<Request>();
    request->id = static_cast<RequestId>(i + 1);
    for (int32_t p = 0; p < context_tokens; ++p) request->prompt_ids.edit().push_back((p * 7 + i) % 100000);
    request->sampling.tokens_max = kSteps + 90;
    if (penalties) request->sampling.presence_penalty = 0.5F;
    submissions.try_submit(request);
  }
  std::vector<Event> drained;
  while (stats.load().generation_tokens < num_seqs * 20) {
    loop.run_round();
    drained.clear();
    events.drain(drained);
  }
  std::vector<double> us;
  for (int32_t i = 0; i < kSteps / 2; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    loop.run_round();
    us.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
    drained.clear();
    events.drain(drained);
  }
  std::sort(us.begin(), us.end());  // the median: other processes' time slices are not the engine's
  return us[us.size() / 2];
}

}  // namespace
}  // namespace seraph

int main(int argc, char** argv) {
  const int32_t context_tokens = argc > 1 ? std::atoi(argv[1]) : 1000;
  std::printf("context %d tokens\nbatch  us/step  us/step with penalties\n", context_tokens);
  for (const int32_t num_seqs : {1, 8, 32, 64, 256}) {
    std::printf("%5d  %7.2f  %7.2f\n", num_seqs, seraph::us_per_step(num_seqs, context_tokens, false),
                seraph::us_per_step(num_seqs, context_tokens, true));
  }
}
