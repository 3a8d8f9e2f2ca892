#include "engine/batch_builder.h"

#include <algorithm>

namespace seraph {

BatchBuilder::BatchBuilder(int32_t rows_max, int32_t num_seqs_max, int32_t logit_rows_max, int32_t block_tokens)
    : block_tokens_(block_tokens) {
  for (std::vector<int32_t>* rows : {&token_ids_, &positions_, &slots_}) rows->reserve(static_cast<size_t>(rows_max));
  for (std::vector<int32_t>* sequences : {&row_begin_, &context_tokens_, &prompt_tokens_}) {
    sequences->reserve(static_cast<size_t>(num_seqs_max) + 1);
  }
  logit_rows_.reserve(static_cast<size_t>(logit_rows_max));
}

void BatchBuilder::add(const PlannedSequence& entry) {
  const Sequence& sequence = *entry.sequence;
  const auto known = static_cast<int32_t>(sequence.tokens.size());
  const auto first_row = static_cast<int32_t>(token_ids_.size());
  const int32_t end = entry.first_position + entry.num_tokens;
  for (int32_t position = entry.first_position; position < end; ++position) {
    token_ids_.push_back(position < known ? sequence.tokens[static_cast<size_t>(position)] : kPendingToken);
    positions_.push_back(position);
    const int32_t block = sequence.blocks[static_cast<size_t>(position / block_tokens_)];
    slots_.push_back(block * block_tokens_ + position % block_tokens_);
  }
  for (int32_t position = entry.prompt_logprobs_begin; position < entry.prompt_logprobs_end; ++position) {
    logit_rows_.push_back(first_row + position - entry.first_position);
  }
  if (sequence.request->pooling == Pooling::kMean) {
    for (int32_t row = 0; row < entry.num_tokens; ++row) logit_rows_.push_back(first_row + row);
  } else if (entry.draws) {
    logit_rows_.push_back(first_row + entry.num_tokens - 1);
  }
  row_begin_.push_back(first_row + entry.num_tokens);
  context_tokens_.push_back(end);
  prompt_tokens_.push_back(sequence.prompt_tokens);
}

Batch BatchBuilder::build(const StepPlan& plan) {
  for (std::vector<int32_t>* list :
       {&token_ids_, &positions_, &slots_, &row_begin_, &context_tokens_, &prompt_tokens_, &logit_rows_}) {
    list->clear();
  }
  row_begin_.push_back(0);
  for (const PlannedSequence& entry : plan.entries) add(entry);

  size_t stride = 1;
  for (const PlannedSequence& entry : plan.entries) stride = std::max(stride, entry.sequence->blocks.size());
  // Entries past a sequence's blocks are never read; resize() keeps the capacity of the largest step so far.
  block_tables_.resize(stride * plan.entries.size());
  for (size_t s = 0; s < plan.entries.size(); ++s) {
    const std::vector<int32_t>& blocks = plan.entries[s].sequence->blocks;
    std::copy(blocks.begin(), blocks.end(), block_tables_.begin() + static_cast<std::ptrdiff_t>(s * stride));
  }
  return Batch{.token_ids = token_ids_,
               .positions = positions_,
               .slots = slots_,
               .row_begin = row_begin_,
               .context_tokens = context_tokens_,
               .prompt_tokens = prompt_tokens_,
               .block_tables = block_tables_,
               .blocks_stride = static_cast<int32_t>(stride),
               .logit_rows = logit_rows_};
}

}  // namespace seraph
