#include "engine/decoder_executor.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "engine/base/check.h"

namespace seraph {
namespace {

/// Few sizes, so that few recordings serve all steps, and not much padding: 1, 2, 4, 8, then every 8, 32 and 64.
int32_t padded_rows(int32_t rows) {
  if (rows <= 8) return static_cast<int32_t>(std::bit_ceil(static_cast<uint32_t>(rows)));
  const int32_t step = rows <= 64 ? 8 : rows <= 256 ? 32 : 64;
  return (rows + step - 1) / step * step;
}

}  // namespace

DecoderExecutor::DecoderExecutor(Args args)
    : decoder_(*args.decoder),
      backend_(*args.backend),
      cache_(std::move(args.cache)),
      host_blocks_(std::move(args.host_blocks)),
      kv_bytes_(cache_.storage.bytes()),
      sample_model_(std::move(args.sample_model)),
      padded_rows_max_(std::min({args.rows_max, args.num_seqs_max, args.logit_rows_max})),
      blocks_max_((args.context_max + cache_.shape.block_tokens - 1) / cache_.shape.block_tokens),
      records_(!args.eager && backend_.can_record()),
      builder_(args.rows_max, args.num_seqs_max, args.logit_rows_max, cache_.shape.block_tokens),
      states_(static_cast<size_t>(args.num_seqs_max)),
      constraints_(static_cast<size_t>(args.num_seqs_max)),
      thinking_(static_cast<size_t>(args.num_seqs_max)),
      draw_rows_(static_cast<size_t>(args.num_seqs_max)) {
  SERAPH_CHECK(backend_.steps_in_flight_max() <= kStepsMax, "there is memory for every step in flight");
  for (Step& step : steps_) {
    step.rows.reserve(static_cast<size_t>(args.logit_rows_max));
    step.results.reserve(static_cast<size_t>(args.logit_rows_max));
  }
}

/// The device writes to memory of this object as long as a step is in flight.
DecoderExecutor::~DecoderExecutor() { static_cast<void>(backend_.synchronize()); }

DecoderExecutor::Shape DecoderExecutor::shape_of(const StepPlan& plan) const {
  if (!records_) return {};
  int32_t blocks = 1;
  bool logprobs = false;
  for (const PlannedSequence& entry : plan.entries) {
    const Sequence& sequence = *entry.sequence;
    const int32_t wanted = sequence.request->sampling.num_logprobs;
    if (!entry.draws || entry.num_tokens != 1 || entry.first_position < sequence.prompt_tokens ||
        entry.prompt_logprobs_begin < entry.prompt_logprobs_end || wanted > kRecordedLogprobsMax) {
      return {};
    }
    logprobs = logprobs || wanted > 0;
    blocks = std::max(blocks, static_cast<int32_t>(sequence.blocks.size()));
  }
  const auto stride = static_cast<int32_t>(std::bit_ceil(static_cast<uint32_t>(blocks)));
  return {.rows = std::min(padded_rows(static_cast<int32_t>(plan.entries.size())), padded_rows_max_),
          .blocks_stride = std::max(std::min(stride, blocks_max_), blocks),
          .logprobs = logprobs};
}

void DecoderExecutor::build_sample_rows(const StepPlan& plan, Step& step) {
  step.rows.clear();
  step.masked.clear();
  int32_t logit_row = 0;
  for (const PlannedSequence& entry : plan.entries) {
    const Sequence& sequence = *entry.sequence;
    const Request& request = *sequence.request;
    const int32_t num_prompt_logprobs = std::min(request.sampling.num_prompt_logprobs, sample_model_.vocab_size);
    for (int32_t position = entry.prompt_logprobs_begin; position < entry.prompt_logprobs_end; ++position) {
      const TokenId given = request.prompt_ids[static_cast<size_t>(position) + 1];
      step.rows.push_back(make_prompt_row(num_prompt_logprobs, logit_row++, given));
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
    if (request.thinking_budget != nullptr) limit_thinking(sequence, row);
    if (masks_everything(row, sample_model_.vocab_size)) step.masked.push_back(row.logit_row);
    step.rows.push_back(row);
  }
  step.num_asked = logit_row;
}

/// Rows of draws in the order of build_sample_rows().
void DecoderExecutor::remember_draws(const StepPlan& plan) {
  int32_t row = 0;
  for (const PlannedSequence& entry : plan.entries) {
    row += entry.prompt_logprobs_end - entry.prompt_logprobs_begin;
    if (entry.draws) draw_rows_[static_cast<size_t>(entry.sequence->slot)] = row++;
  }
}

void DecoderExecutor::constrain(const Sequence& sequence, SampleRow& row) {
  ConstraintState& state = constraints_[static_cast<size_t>(sequence.slot)];
  state.follow(*sequence.request, sequence.tokens, sample_model_.eos_ids, sample_model_.vocab_size);
  bool must_end = false;
  row.allowed = state.allowed(must_end);
  if (must_end) row.banned = {};  // by min_tokens
}

void DecoderExecutor::limit_thinking(const Sequence& sequence, SampleRow& row) {
  ThinkingBudgetState& state = thinking_[static_cast<size_t>(sequence.slot)];
  state.follow(*sequence.request, sequence.tokens, sample_model_.vocab_size);
  const uint32_t* forced = state.allowed();
  if (forced == nullptr) return;
  row.allowed = forced;
  row.banned = {};  // by min_tokens or a bad word: nothing else is left
}

/// Neighbours in the same direction go together; the order stays.
void DecoderExecutor::swap(std::span<const SwappedBlock> swaps) {
  for (size_t begin = 0; begin < swaps.size();) {
    const bool to_host = swaps[begin].to_host;
    swapped_device_.clear();
    swapped_host_.clear();
    for (; begin < swaps.size() && swaps[begin].to_host == to_host; ++begin) {
      swapped_device_.push_back(swaps[begin].device);
      swapped_host_.push_back(swaps[begin].host);
    }
    backend_.swap_kv_blocks({.cache = &cache_,
                             .host = &host_blocks_,
                             .device_blocks = swapped_device_,
                             .host_blocks = swapped_host_,
                             .to_host = to_host});
  }
}

void DecoderExecutor::launch(const StepPlan& plan) {
  const MonotonicUs begin = now_us();
  swap(plan.swaps);
  Step& step = steps_[static_cast<size_t>((oldest_ + num_in_flight_) % kStepsMax)];
  for (const AdapterWrite& write : plan.adapter_writes) decoder_.write_adapter(write.slot, *write.adapter->weights);
  const Shape shape = shape_of(plan);
  const Batch batch = builder_.build(plan, draw_rows_, {.rows = shape.rows, .blocks_stride = shape.blocks_stride});
  build_sample_rows(plan, step);
  while (step.rows.size() < batch.logit_rows.size()) {
    step.rows.push_back(SampleRow{.logit_row = static_cast<int32_t>(step.rows.size())});
  }
  SERAPH_CHECK(step.rows.size() == batch.logit_rows.size(), "every logit row has one sample row");
  step.results.resize(step.rows.size());
  step.arena.assign(step.rows, step.results);
  remember_draws(plan);
  compute(shape, batch,
          {.logits = decoder_.logits(static_cast<int64_t>(step.rows.size())),
           .vocab_size = sample_model_.vocab_size,
           .rows = step.rows,
           .results = step.results});
  backend_.submit();
  ++num_in_flight_;
  step.host_us = now_us() - begin;
}

void DecoderExecutor::compute(const Shape& shape, const Batch& batch, const SampleArgs& draws) {
  const bool together = decoder_.stage(batch, &draws);
  if (shape.rows == 0 || !together) {
    run(batch, draws);
    return;
  }
  std::unique_ptr<DeviceGraph>& recording = recordings_[shape];
  if (recording == nullptr) {
    backend_.begin_recording();
    run(batch, draws);
    recording = backend_.end_recording();
  }
  if (recording != nullptr) backend_.replay(*recording);  // null: the device failed, and collect() will say so
}

void DecoderExecutor::run(const Batch& batch, const SampleArgs& draws) {
  decoder_.run(batch, cache_);
  if (!draws.rows.empty()) backend_.sample(draws);
}

StepResult DecoderExecutor::collect() {
  Step& step = steps_[static_cast<size_t>(oldest_)];
  oldest_ = (oldest_ + 1) % kStepsMax;
  --num_in_flight_;
  const MonotonicUs begin = now_us();
  int64_t device_us = -1;
  DeviceStatus status = backend_.collect(device_us);
  for (const int32_t row : step.masked) step.results[static_cast<size_t>(row)].token = kAllMasked;
  // A device that cannot tell computed while it was called.
  if (device_us < 0) device_us = step.host_us + now_us() - begin;
  return StepResult{.rows = std::span(step.results).first(static_cast<size_t>(step.num_asked)),
                    .device_us = device_us,
                    .status = std::move(status)};
}

}  // namespace seraph
