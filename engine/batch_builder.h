// From a step plan to the flat arrays that the decoder takes (model/batch.h). Arrays are reserved for the limits once
// and reused. Engine thread only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/model/batch.h"
#include "engine/schedule/scheduler.h"

namespace seraph {

/// Stands for an id that the host does not know yet; see StepExecutor::launch().
inline constexpr int32_t kPendingToken = -1;

/// More rows than a plan has, so that steps of several sizes share one recording: each is the only row of a sequence
/// that has no context, writes no keys and whose logits nobody reads.
struct BatchPadding {
  int32_t rows = 0;           // 0: none; else the batch has so many, all with logits
  int32_t blocks_stride = 0;  // 0: what the plan needs
};

class BatchBuilder {
 public:
  BatchBuilder(int32_t rows_max, int32_t num_seqs_max, int32_t logit_rows_max, int32_t block_tokens);

  /// The batch borrows from the builder until the next build(). Logit rows are, for each entry in order, the rows of
  /// prompt_logprobs_begin .. end and then the last row if the entry draws; all rows of an entry that pools the mean.
  /// `draw_rows` by sequence slot: in which row the last step drew for it; a pending id is -1 - that row then.
  Batch build(const StepPlan& plan, std::span<const int32_t> draw_rows = {}, const BatchPadding& padding = {});

 private:
  void add(const PlannedSequence& entry, std::span<const int32_t> draw_rows);
  void clear();
  void gather_adapter_slots();
  void pad(int32_t rows);
  int32_t fill_block_tables(const StepPlan& plan, int32_t stride_min);

  const int32_t block_tokens_;
  std::vector<int32_t> token_ids_, positions_, slots_, row_begin_, context_tokens_, prompt_context_, generated_context_,
      prompt_tokens_, block_tables_, logit_rows_, adapter_slots_, logit_adapter_slots_;
  int32_t num_generated_ = 0;
  bool has_adapters_ = false;
};

}  // namespace seraph
