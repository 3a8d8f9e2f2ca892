// Runs step plans with a Decoder on a Backend: batch, forward, sampling rows, draw. Synchronous: the step is
// done when launch() returns, so one step is in flight. Engine thread only.
#pragma once

#include <memory>
#include <vector>

#include "engine/batch_builder.h"
#include "engine/model/decoder.h"
#include "engine/sample/constraint_state.h"
#include "engine/sample/logprobs.h"
#include "engine/sample/sample_rows.h"
#include "engine/step_executor.h"
#include "kernels/backend.h"

namespace seraph {

class DecoderExecutor final : public StepExecutor {
 public:
  struct Args {
    Decoder* decoder = nullptr;  // outlive the executor
    Backend* backend = nullptr;
    KvCache cache = {};
    SampleModel sample_model = {};
    int32_t rows_max = 0;
    int32_t num_seqs_max = 0;
    int32_t logit_rows_max = 0;
  };
  explicit DecoderExecutor(Args args);

  int32_t steps_in_flight_max() const override { return 1; }
  void launch(const StepPlan& plan) override;
  bool keep_kv(bool keep) override { return keep_storage(backend_, kv_bytes_, keep, cache_.storage); }
  StepResult collect() override;

 private:
  void build_sample_rows(const StepPlan& plan);
  void constrain(const Sequence& sequence, SampleRow& row);

  Decoder& decoder_;
  Backend& backend_;
  KvCache cache_;
  const int64_t kv_bytes_;
  const SampleModel sample_model_;
  BatchBuilder builder_;
  std::vector<SampleState> states_;           // by sequence slot
  std::vector<ConstraintState> constraints_;  // by sequence slot
  std::vector<SampleRow> rows_;
  std::vector<SampleResult> results_;
  LogprobArena arena_;
  int64_t device_us_ = 0;
  DeviceStatus status_;
};

}  // namespace seraph
