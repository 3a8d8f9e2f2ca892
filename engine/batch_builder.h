// From a step plan to the flat arrays that the decoder takes (model/batch.h). Arrays are reserved for the limits once
// and reused. Engine thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/model/batch.h"
#include "engine/schedule/scheduler.h"

namespace seraph {

/// Stands for an id that the host does not know yet; see StepExecutor::launch().
inline constexpr int32_t kPendingToken = -1;

class BatchBuilder {
 public:
  BatchBuilder(int32_t rows_max, int32_t num_seqs_max, int32_t logit_rows_max, int32_t block_tokens);

  /// The batch borrows from the builder until the next build(). Logit rows are, for each entry in order, the rows of
  /// prompt_logprobs_begin .. end and then the last row if the entry draws; all rows of an entry that pools the mean.
  Batch build(const StepPlan& plan);

 private:
  void add(const PlannedSequence& entry);

  const int32_t block_tokens_;
  std::vector<int32_t> token_ids_, positions_, slots_, row_begin_, context_tokens_, prompt_tokens_, block_tables_,
      logit_rows_;
};

}  // namespace seraph
