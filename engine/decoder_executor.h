// Runs step plans with a Decoder on a Backend: batch, forward, sampling rows, draw. As many steps are in flight as the
// backend allows: with two, step n+1 is built and issued while step n computes, and what n drew feeds n+1 on the
// device. A step of draws alone (no prompt in it) is recorded when its size comes for the first time and replayed from
// then on, where the backend can. Engine thread only.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <vector>

#include "engine/base/clock.h"
#include "engine/batch_builder.h"
#include "engine/model/decoder.h"
#include "engine/sample/constraint_state.h"
#include "engine/sample/logprobs.h"
#include "engine/sample/sample_rows.h"
#include "engine/sample/thinking_budget.h"
#include "engine/step_executor.h"
#include "kernels/backend.h"

namespace seraph {

class DecoderExecutor final : public StepExecutor {
 public:
  struct Args {
    Decoder* decoder = nullptr;  // outlive the executor
    Backend* backend = nullptr;
    KvCache cache = {};
    Buffer host_blocks = {};  // of allocate_host(): where plans swap blocks to
    SampleModel sample_model = {};
    int32_t rows_max = 0;
    int32_t num_seqs_max = 0;
    int32_t logit_rows_max = 0;
    int32_t context_max = 0;  // tokens of a sequence
    bool eager = false;       // never record
  };
  explicit DecoderExecutor(Args args);
  ~DecoderExecutor() override;

  int32_t steps_in_flight_max() const override { return backend_.steps_in_flight_max(); }
  void launch(const StepPlan& plan) override;
  bool keep_kv(bool keep) override { return keep_storage(backend_, kv_bytes_, keep, cache_.storage); }
  StepResult collect() override;

  int64_t num_recordings() const { return static_cast<int64_t>(recordings_.size()); }

 private:
  static constexpr int32_t kStepsMax = 2;

  /// What must stay where it is until the step is collected.
  struct Step {
    std::vector<SampleRow> rows;
    std::vector<SampleResult> results;
    LogprobArena arena;
    std::vector<int32_t> masked;  // rows whose masks leave nothing
    int32_t num_asked = 0;        // rows that the plan asked for; the others are padding
    int64_t host_us = 0;          // spent in launch()
  };
  /// Steps that differ in these have recordings of their own.
  struct Shape {
    int32_t rows = 0;  // 0: not to be recorded
    int32_t blocks_stride = 0;
    bool logprobs = false;
    auto operator<=>(const Shape&) const = default;
  };

  Shape shape_of(const StepPlan& plan) const;
  void build_sample_rows(const StepPlan& plan, Step& step);
  /// Leaves the closing token alone when the budget for thinking is used up.
  void limit_thinking(const Sequence& sequence, SampleRow& row);
  /// Sets the ids that the row's constraint leaves.
  void constrain(const Sequence& sequence, SampleRow& row);
  void remember_draws(const StepPlan& plan);
  void swap(std::span<const SwappedBlock> swaps);
  void compute(const Shape& shape, const Batch& batch, const SampleArgs& draws);
  void run(const Batch& batch, const SampleArgs& draws);

  Decoder& decoder_;
  Backend& backend_;
  KvCache cache_;
  Buffer host_blocks_;
  std::vector<int32_t> swapped_device_, swapped_host_;  // scratch of swap()
  const int64_t kv_bytes_;
  const SampleModel sample_model_;
  const int32_t padded_rows_max_;
  const int32_t blocks_max_;  // of a sequence
  const bool records_;
  BatchBuilder builder_;
  std::vector<SampleState> states_;            // by sequence slot
  std::vector<ConstraintState> constraints_;   // by sequence slot
  std::vector<ThinkingBudgetState> thinking_;  // by sequence slot
  std::vector<int32_t> draw_rows_;             // by sequence slot: the row of the latest step that drew for it
  std::map<Shape, std::unique_ptr<DeviceGraph>> recordings_;
  std::array<Step, kStepsMax> steps_;
  int32_t oldest_ = 0;
  int32_t num_in_flight_ = 0;
};

}  // namespace seraph
