#include "engine/pooling_executor.h"

#include <utility>

#include "engine/base/clock.h"
#include "engine/model/host_floats.h"

namespace seraph {

PoolingExecutor::PoolingExecutor(Args args)
    : decoder_(*args.decoder),
      backend_(*args.backend),
      cache_(std::move(args.cache)),
      kv_bytes_(cache_.storage.bytes()),
      head_(std::move(args.head)),
      hidden_(static_cast<size_t>(decoder_.spec().hidden)),
      width_(static_cast<size_t>(head_.width(decoder_.spec().hidden))),
      builder_(args.rows_max, args.num_seqs_max, args.rows_max, cache_.shape.block_tokens),
      sums_(static_cast<size_t>(args.num_seqs_max)) {
  pooled_.reserve(sums_.size() * width_);
}

/// Adds the entry's hidden rows to its sum: all of its chunk for the mean, else the prompt's last one.
void PoolingExecutor::add_rows(const PlannedSequence& entry, const Tensor& hidden, int64_t first_row) {
  std::vector<float>& sum = sums_[static_cast<size_t>(entry.sequence->slot)];
  const bool mean = entry.sequence->request->pooling == Pooling::kMean;
  if (!mean || entry.first_position == 0) sum.assign(hidden_, 0.0F);
  for (int32_t i = 0; i < (mean ? entry.num_tokens : 1); ++i) {
    const char* row =
        static_cast<const char*>(hidden.data) + (first_row + i) * hidden.stride * dtype_bytes(hidden.dtype);
    row_.clear();
    append_floats({.data = row, .dtype = hidden.dtype, .rows = 1, .cols = hidden.cols}, row_);
    for (size_t k = 0; k < hidden_; ++k) sum[k] += row_[k];
  }
}

void PoolingExecutor::finish(const PlannedSequence& entry) {
  std::vector<float>& sum = sums_[static_cast<size_t>(entry.sequence->slot)];
  if (entry.sequence->request->pooling == Pooling::kMean) {
    const auto count = static_cast<float>(entry.sequence->prompt_tokens);
    for (float& value : sum) value /= count;
  }
  const size_t begin = pooled_.size();
  pooled_.resize(begin + width_);
  head_.apply(sum, std::span(pooled_).subspan(begin));
}

void PoolingExecutor::launch(const StepPlan& plan) {
  for (const AdapterWrite& write : plan.adapter_writes) decoder_.write_adapter(write.slot, *write.adapter->weights);
  const Batch batch = builder_.build(plan);
  const MonotonicUs begin = now_us();
  Tensor hidden = decoder_.forward(batch, cache_);
  host_rows_.resize(static_cast<size_t>(hidden.rows * hidden.stride * dtype_bytes(hidden.dtype)));
  backend_.download(host_rows_.data(), hidden.data, static_cast<int64_t>(host_rows_.size()));
  hidden.data = host_rows_.data();
  status_ = backend_.synchronize();
  device_us_ = now_us() - begin;
  pooled_.clear();
  if (!status_.ok) return;
  int64_t row = 0;
  for (const PlannedSequence& entry : plan.entries) {
    const bool mean = entry.sequence->request->pooling == Pooling::kMean;
    if (!mean && !entry.draws) continue;
    add_rows(entry, hidden, row);
    row += mean ? entry.num_tokens : 1;
    if (entry.draws) finish(entry);
  }
}

StepResult PoolingExecutor::collect() {
  return StepResult{.rows = {},
                    .pooled = pooled_,
                    .pooled_width = static_cast<int32_t>(width_),
                    .device_us = device_us_,
                    .status = std::move(status_)};
}

}  // namespace seraph
