#include "kernels/cuda/device_sampler.h"

#include <algorithm>
#include <cstring>

namespace seraph::cuda {
namespace {

constexpr int64_t kEntriesMin = int64_t{1} << 17;  // counts of a step: penalties of many long answers at once
constexpr int32_t kLogprobStrides[] = {1, kRecordedLogprobsMax + 1, kLogprobsMax + 1};

template <typename T>
bool reserve_array(StreamWork& work, Buffer& buffer, std::vector<T>& host, int64_t count) {
  host.reserve(static_cast<size_t>(count));
  return work.reserve(buffer, count * static_cast<int64_t>(sizeof(T)));
}

template <typename T>
void move_array(Staging& staging, const Buffer& buffer, const std::vector<T>& host) {
  staging.copy(buffer.data(), host.data(), static_cast<int64_t>(host.size() * sizeof(T)));
}

}  // namespace

DeviceSampleRow plain_row(const SampleRow& row) {
  DeviceSampleRow out;
  out.logit_row = row.logit_row;
  out.temperature = row.temperature;
  out.top_k = row.top_k;
  out.top_p = row.top_p;
  out.min_p = row.min_p;
  out.repetition_penalty = row.repetition_penalty;
  out.frequency_penalty = row.frequency_penalty;
  out.presence_penalty = row.presence_penalty;
  out.seed_low = static_cast<uint32_t>(row.seed);
  out.seed_high = static_cast<uint32_t>(row.seed >> 32);
  out.position = row.position;
  out.choice = row.choice;
  out.given_token = row.given_token;
  out.num_logprobs = std::min(row.num_logprobs, kLogprobsMax);
  return out;
}

bool DeviceSampler::plan(int64_t rows_max, int64_t columns) {
  rows_max_ = rows_max;
  const int64_t entries = std::max(columns, kEntriesMin);
  const int64_t words = (columns + 31) / 32;
  room_ = {.counts = entries, .bias = entries, .banned = entries, .allowed_words = rows_max * words};
  const int64_t results = rows_max * (2 + 3 * (int64_t{kLogprobsMax} + 1));
  if (!reserve_array(work_, device_rows_, rows_, rows_max) ||
      !reserve_array(work_, device_counts_, counts_, room_.counts) ||
      !reserve_array(work_, device_bias_, bias_, room_.bias) ||
      !reserve_array(work_, device_banned_, banned_, room_.banned) ||
      !reserve_array(work_, device_allowed_, allowed_, room_.allowed_words) ||
      !work_.reserve(saved_, 3 * entries * 4) || !work_.reserve(results_, results * 4)) {
    return false;
  }
  for (Buffer& memory : fetched_memory_) {
    if (memory.bytes() < results * 4) memory = work_.allocate_pinned(results * 4);
    if (memory.data() == nullptr) return false;
  }
  return true;
}

int64_t DeviceSampler::device_bytes() const {
  int64_t bytes = 0;
  for (const Buffer* buffer :
       {&device_rows_, &device_counts_, &device_bias_, &device_banned_, &device_allowed_, &saved_, &results_}) {
    bytes += buffer->bytes();
  }
  return bytes;
}

int64_t DeviceSampler::host_bytes() const {
  int64_t bytes = 0;
  for (const Buffer& memory : fetched_memory_) bytes += memory.bytes();
  return bytes;
}

int32_t DeviceSampler::stride_of(std::span<const SampleRow> rows) {
  int32_t most = 1;
  for (const SampleRow& row : rows) most = std::max(most, std::min(row.num_logprobs, kLogprobsMax) + 1);
  return *std::lower_bound(std::begin(kLogprobStrides), std::end(kLogprobStrides), most);
}

/// False when the row does not fit any more.
bool DeviceSampler::append(const SampleArgs& args, const SampleRow& row) {
  const auto words = static_cast<size_t>((args.logits.cols + 31) / 32);
  const auto fits = [](size_t have, size_t more, int64_t room) { return static_cast<int64_t>(have + more) <= room; };
  if (!fits(rows_.size(), 1, rows_max_) || !fits(counts_.size(), row.counts.size(), room_.counts) ||
      !fits(bias_.size(), row.bias.size(), room_.bias) ||
      !fits(banned_.size(), row.banned.size() + row.logprob_ids.size(), room_.banned) ||
      (row.allowed != nullptr && !fits(allowed_.size(), words, room_.allowed_words))) {
    return false;
  }
  DeviceSampleRow out = plain_row(row);
  out.counts_begin = static_cast<int32_t>(counts_.size());
  for (const TokenCount& count : row.counts) {
    if (count.in_prompt || count.in_output > 0) counts_.push_back({count.id, count.in_output});
  }
  out.counts_end = static_cast<int32_t>(counts_.size());
  out.bias_begin = static_cast<int32_t>(bias_.size());
  for (const auto& [id, value] : row.bias) bias_.push_back({id, value});
  out.bias_end = static_cast<int32_t>(bias_.size());
  out.banned_begin = static_cast<int32_t>(banned_.size());
  const auto first_banned = banned_.insert(banned_.end(), row.banned.begin(), row.banned.end());
  std::sort(first_banned, banned_.end());
  banned_.erase(std::unique(first_banned, banned_.end()), banned_.end());
  out.banned_end = static_cast<int32_t>(banned_.size());
  out.logprob_ids_begin = out.banned_end;
  banned_.insert(banned_.end(), row.logprob_ids.begin(), row.logprob_ids.end());
  out.logprob_ids_end = static_cast<int32_t>(banned_.size());
  if (row.allowed != nullptr) {
    out.allowed_begin = static_cast<int32_t>(allowed_.size());
    allowed_.insert(allowed_.end(), row.allowed, row.allowed + (args.vocab_size + 31) / 32);
    allowed_.resize(static_cast<size_t>(out.allowed_begin) + words);
  }
  rows_.push_back(out);
  return true;
}

/// How many rows from `begin` on go together.
int64_t DeviceSampler::fill(const SampleArgs& args, int64_t begin) {
  rows_.clear();
  counts_.clear();
  bias_.clear();
  banned_.clear();
  allowed_.clear();
  const auto total = static_cast<int64_t>(args.rows.size());
  int64_t count = 0;
  while (begin + count < total && append(args, args.rows[static_cast<size_t>(begin + count)])) ++count;
  if (count == 0) work_.check({kErrorInvalidValue, "sample(): a row that plan_scratch() did not foresee"});
  return count;
}

void DeviceSampler::move() {
  move_array(staging_, device_rows_, rows_);
  move_array(staging_, device_counts_, counts_);
  move_array(staging_, device_bias_, bias_);
  move_array(staging_, device_banned_, banned_);
  move_array(staging_, device_allowed_, allowed_);
}

bool DeviceSampler::stage(const SampleArgs& args) {
  staged_rows_ = nullptr;
  current_ = {};
  if (args.rows.empty()) return true;
  if (fill(args, 0) < static_cast<int64_t>(args.rows.size())) return false;
  move();
  current_ = {.results = args.results, .stride = stride_of(args.rows)};
  staged_rows_ = args.rows.data();
  return true;
}

void DeviceSampler::launch_rows(const SampleArgs& args, int64_t begin, int64_t count) {
  const int64_t entries = rows_max_ * current_.stride;
  const int64_t first = begin * current_.stride;
  work_.check(
      cuda::sample({.logits = args.logits,
                    .vocab_size = args.vocab_size,
                    .rows = static_cast<const DeviceSampleRow*>(device_rows_.data()),
                    .num_rows = static_cast<int32_t>(count),
                    .counts = static_cast<const DeviceTokenCount*>(device_counts_.data()),
                    .num_counts = room_.counts,
                    .bias = static_cast<const DeviceTokenBias*>(device_bias_.data()),
                    .num_bias = room_.bias,
                    .banned = static_cast<const int32_t*>(device_banned_.data()),
                    .num_banned = room_.banned,
                    .allowed = static_cast<const uint32_t*>(device_allowed_.data()),
                    .num_allowed_words = room_.allowed_words,
                    .saved = static_cast<float*>(saved_.data()),
                    .tokens = reinterpret_cast<int32_t*>(results_at(begin)),
                    .logprob_ids = reinterpret_cast<int32_t*>(results_at(2 * rows_max_ + first)),
                    .logprobs = reinterpret_cast<float*>(results_at(2 * rows_max_ + entries + first)),
                    .logprob_ranks = reinterpret_cast<int32_t*>(results_at(2 * rows_max_ + 2 * entries + first)),
                    .num_logprobs = reinterpret_cast<int32_t*>(results_at(rows_max_ + begin)),
                    .logprobs_stride = current_.stride},
                   work_.stream()));
}

void DeviceSampler::launch(const SampleArgs& args) {
  const auto total = static_cast<int64_t>(args.rows.size());
  if (staged(args)) {
    launch_rows(args, 0, total);
    return;
  }
  if (recording_) {
    work_.check({kErrorCaptureUnsupported, "recorded draws that were not staged"});
    return;
  }
  current_ = {.results = args.results, .stride = stride_of(args.rows)};
  for (int64_t begin = 0; begin < total && !work_.failed();) {
    const int64_t count = fill(args, begin);
    move();
    launch_rows(args, begin, count);
    begin += count;
  }
}

void DeviceSampler::fetch(int32_t slot) {
  const auto at = static_cast<size_t>(slot);
  fetched_[at] = current_;
  current_ = {};
  staged_rows_ = nullptr;
  const auto count = static_cast<int64_t>(fetched_[at].results.size());
  if (count == 0) return;
  auto* host = static_cast<char*>(fetched_memory_[at].data());
  const int64_t stride = fetched_[at].stride;
  const auto bring = [&](int64_t begin, int64_t integers) {
    work_.copy(host + begin * 4, results_at(begin), integers * 4, CopyKind::kDeviceToHost);
  };
  bring(0, count);
  bring(rows_max_, count);
  bool wanted = false;
  for (const SampleResult& result : fetched_[at].results) wanted = wanted || !result.logprobs.empty();
  if (!wanted) return;
  for (int64_t array = 0; array < 3; ++array) bring(2 * rows_max_ + array * rows_max_ * stride, count * stride);
}

void DeviceSampler::deliver(int32_t slot) {
  Fetched& fetched = fetched_[static_cast<size_t>(slot)];
  const auto* integers = static_cast<const int32_t*>(fetched_memory_[static_cast<size_t>(slot)].data());
  const int64_t entries = rows_max_ * fetched.stride;
  for (size_t i = 0; i < fetched.results.size(); ++i) {
    SampleResult& result = fetched.results[i];
    const auto row = static_cast<int64_t>(i);
    result.token = integers[row];
    result.num_logprobs = 0;
    if (result.logprobs.empty()) continue;
    result.num_logprobs = std::min(integers[rows_max_ + row], static_cast<int32_t>(result.logprobs.size()));
    for (int32_t k = 0; k < result.num_logprobs; ++k) {
      const int64_t entry = 2 * rows_max_ + row * fetched.stride + k;
      SampledLogprob& out = result.logprobs[static_cast<size_t>(k)];
      out.id = integers[entry];
      std::memcpy(&out.logprob, integers + entry + entries, sizeof(float));
      out.rank = integers[entry + 2 * entries];
    }
  }
  fetched = {};
}

}  // namespace seraph::cuda
