#include "engine/batch_builder.h"

#include <algorithm>

namespace seraph {

BatchBuilder::BatchBuilder(int32_t rows_max, int32_t num_seqs_max, int32_t logit_rows_max, int32_t block_tokens)
    : block_tokens_(block_tokens) {
  for (std::vector<int32_t>* rows : {&token_ids_, &positions_, &slots_, &adapter_slots_}) {
    rows->reserve(static_cast<size_t>(rows_max));
  }
  for (std::vector<int32_t>* sequences :
       {&row_begin_, &context_tokens_, &prompt_context_, &generated_context_, &prompt_tokens_}) {
    sequences->reserve(static_cast<size_t>(num_seqs_max) + 1);
  }
  logit_rows_.reserve(static_cast<size_t>(logit_rows_max));
  logit_adapter_slots_.reserve(static_cast<size_t>(logit_rows_max));
}

void BatchBuilder::add(const PlannedSequence& entry, std::span<const int32_t> draw_rows) {
  const Sequence& sequence = *entry.sequence;
  const auto known = static_cast<int32_t>(sequence.tokens.size());
  const auto first_row = static_cast<int32_t>(token_ids_.size());
  const int32_t end = entry.first_position + entry.num_tokens;
  const int32_t pending = draw_rows.empty() ? kPendingToken : -1 - draw_rows[static_cast<size_t>(sequence.slot)];
  for (int32_t position = entry.first_position; position < end; ++position) {
    token_ids_.push_back(position < known ? sequence.tokens[static_cast<size_t>(position)] : pending);
    positions_.push_back(position);
    const int32_t block = sequence.blocks[static_cast<size_t>(position / block_tokens_)];
    slots_.push_back(block * block_tokens_ + position % block_tokens_);
    adapter_slots_.push_back(sequence.adapter_slot);
  }
  has_adapters_ = has_adapters_ || sequence.adapter_slot >= 0;
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
  const bool generated = entry.first_position >= sequence.prompt_tokens;
  prompt_context_.push_back(generated ? 0 : end);
  generated_context_.push_back(generated ? end : 0);
  num_generated_ += generated ? 1 : 0;
  prompt_tokens_.push_back(sequence.prompt_tokens);
}

void BatchBuilder::clear() {
  for (std::vector<int32_t>* list :
       {&token_ids_, &positions_, &slots_, &row_begin_, &context_tokens_, &prompt_context_, &generated_context_,
        &prompt_tokens_, &logit_rows_, &adapter_slots_, &logit_adapter_slots_}) {
    list->clear();
  }
  num_generated_ = 0;
  has_adapters_ = false;
  row_begin_.push_back(0);
}

void BatchBuilder::pad(int32_t rows) {
  while (static_cast<int32_t>(token_ids_.size()) < rows) {
    logit_rows_.push_back(static_cast<int32_t>(token_ids_.size()));
    token_ids_.push_back(0);
    positions_.push_back(0);
    slots_.push_back(-1);
    adapter_slots_.push_back(-1);
    row_begin_.push_back(row_begin_.back());
    for (std::vector<int32_t>* list : {&context_tokens_, &prompt_context_, &generated_context_, &prompt_tokens_}) {
      list->push_back(0);
    }
    ++num_generated_;
  }
}

/// A step of the model alone has no lists of slots and takes the plain path.
void BatchBuilder::gather_adapter_slots() {
  if (!has_adapters_) return adapter_slots_.clear();
  for (const int32_t row : logit_rows_) logit_adapter_slots_.push_back(adapter_slots_[static_cast<size_t>(row)]);
}

/// Entries past a sequence's blocks are never read; resize() keeps the capacity of the largest step so far.
int32_t BatchBuilder::fill_block_tables(const StepPlan& plan, int32_t stride_min) {
  size_t stride = std::max<size_t>(1, static_cast<size_t>(stride_min));
  for (const PlannedSequence& entry : plan.entries) stride = std::max(stride, entry.sequence->blocks.size());
  block_tables_.resize(stride * context_tokens_.size());
  for (size_t s = 0; s < plan.entries.size(); ++s) {
    const std::vector<int32_t>& blocks = plan.entries[s].sequence->blocks;
    std::copy(blocks.begin(), blocks.end(), block_tables_.begin() + static_cast<std::ptrdiff_t>(s * stride));
  }
  return static_cast<int32_t>(stride);
}

Batch BatchBuilder::build(const StepPlan& plan, std::span<const int32_t> draw_rows, const BatchPadding& padding) {
  clear();
  for (const PlannedSequence& entry : plan.entries) add(entry, draw_rows);
  pad(padding.rows);
  gather_adapter_slots();
  const int32_t stride = fill_block_tables(plan, padding.blocks_stride);
  return Batch{.token_ids = token_ids_,
               .positions = positions_,
               .slots = slots_,
               .row_begin = row_begin_,
               .context_tokens = context_tokens_,
               .prompt_context = prompt_context_,
               .generated_context = generated_context_,
               .num_generated = num_generated_,
               .prompt_tokens = prompt_tokens_,
               .block_tables = block_tables_,
               .blocks_stride = stride,
               .logit_rows = logit_rows_,
               .adapter_slots = adapter_slots_,
               .logit_adapter_slots = logit_adapter_slots_};
}

}  // namespace seraph
