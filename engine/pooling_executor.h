// Runs step plans of a pooling model: batch, forward to hidden states, pooling over the chunks of a prompt, head.
// Synchronous: the step is done when launch() returns. The hidden rows are read on the host after synchronize(), so
// the backend's activations must be memory that the host can read. Engine thread only.
#pragma once

#include <vector>

#include "engine/batch_builder.h"
#include "engine/model/decoder.h"
#include "engine/pooling_head.h"
#include "engine/step_executor.h"
#include "kernels/backend.h"

namespace seraph {

class PoolingExecutor final : public StepExecutor {
 public:
  struct Args {
    Decoder* decoder = nullptr;  // with DecoderOutput::kHidden; outlive the executor
    Backend* backend = nullptr;
    KvCache cache = {};
    PoolingHead head = {};
    int32_t rows_max = 0;
    int32_t num_seqs_max = 0;
  };
  explicit PoolingExecutor(Args args);

  int32_t steps_in_flight_max() const override { return 1; }
  void launch(const StepPlan& plan) override;
  bool keep_kv(bool keep) override { return keep_storage(backend_, kv_bytes_, keep, cache_.storage); }
  StepResult collect() override;

 private:
  void add_rows(const PlannedSequence& entry, const Tensor& hidden, int64_t first_row);
  void finish(const PlannedSequence& entry);

  Decoder& decoder_;
  Backend& backend_;
  KvCache cache_;
  const int64_t kv_bytes_;
  const PoolingHead head_;
  const size_t hidden_;
  const size_t width_;
  BatchBuilder builder_;
  std::vector<std::vector<float>> sums_;  // by sequence slot: of the rows seen so far; allocated when first used
  std::vector<float> row_;                // scratch [hidden]
  std::vector<char> host_rows_;           // hidden states of the step, as the device has them
  std::vector<float> pooled_;             // of this step's finished prompts: [count, width]
  int64_t device_us_ = 0;
  DeviceStatus status_;
};

}  // namespace seraph
