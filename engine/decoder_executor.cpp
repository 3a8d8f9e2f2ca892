#include "engine/decoder_executor.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/clock.h"

namespace seraph {

DecoderExecutor::DecoderExecutor(Args args)
    : decoder_(*args.decoder),
      backend_(*args.backend),
      cache_(std::move(args.cache)),
      kv_bytes_(cache_.storage.bytes()),
      sample_model_(std::move(args.sample_model)),
      builder_(args.rows_max, args.num_seqs_max, args.logit_rows_max, cache_.shape.block_tokens),
      states_(static_cast<size_t>(args.num_seqs_max)),
      constraints_(static_cast<size_t>(args.num_seqs_max)) {
  rows_.reserve(static_cast<size_t>(args.logit_rows_max));
  results_.reserve(static_cast<size_t>(args.logit_rows_max));
}

void DecoderExecutor::build_sample_rows(const StepPlan& plan) {
  rows_.clear();
  int32_t logit_row = 0;
  for (const PlannedSequence& entry : plan.entries) {
    const Sequence& sequence = *entry.sequence;
    const Request& request = *sequence.request;
    const int32_t num_prompt_logprobs = std::min(request.sampling.num_prompt_logprobs, sample_model_.vocab_size);
    for (int32_t position = entry.prompt_logprobs_begin; position < entry.prompt_logprobs_end; ++position) {
      const TokenId given = request.prompt_ids[static_cast<size_t>(position) + 1];
      rows_.push_back(make_prompt_row(num_prompt_logprobs, logit_row++, given));
    }
    if (!entry.draws) continue;
    SampleState& state = states_[static_cast<size_t>(sequence.slot)];
    state.follow(request, sequence.tokens, sample_model_);
    const int32_t drawn_position = entry.first_position + entry.num_tokens;
    SampleRow row = make_draw_row(request.sampling, state,
                                  {.logit_row = logit_row++,
                                   .position = drawn_position,
                                   .generated_tokens = drawn_position - sequence.prompt_tokens,
                                   .vocab_size = sample_model_.vocab_size});
    if (request.constraint != nullptr) constrain(sequence, row);
    rows_.push_back(row);
  }
  results_.resize(rows_.size());
  arena_.assign(rows_, results_);
}

void DecoderExecutor::constrain(const Sequence& sequence, SampleRow& row) {
  ConstraintState& state = constraints_[static_cast<size_t>(sequence.slot)];
  state.follow(*sequence.request, sequence.tokens, sample_model_.eos_ids, sample_model_.vocab_size);
  bool must_end = false;
  row.allowed = state.allowed(must_end);
  if (must_end) row.banned = {};  // by min_tokens
}

void DecoderExecutor::launch(const StepPlan& plan) {
  const Batch batch = builder_.build(plan);
  const MonotonicUs begin = now_us();
  const Tensor logits = decoder_.forward(batch, cache_);
  // Penalties are counted and masks filled while a device that works on its own is busy with the forward pass.
  build_sample_rows(plan);
  SERAPH_CHECK(rows_.size() == batch.logit_rows.size(), "every logit row has one sample row");
  if (!rows_.empty()) {
    backend_.sample(
        SampleArgs{.logits = logits, .vocab_size = sample_model_.vocab_size, .rows = rows_, .results = results_});
  }
  status_ = backend_.synchronize();
  device_us_ = now_us() - begin;
}

StepResult DecoderExecutor::collect() {
  return StepResult{.rows = results_, .device_us = device_us_, .status = std::move(status_)};
}

}  // namespace seraph
