// The host's side of sampling: what rows ask for goes to fixed places on the device, tokens and logprobs come back
// through pinned memory, one place for each step in flight.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/cuda/sample.h"
#include "kernels/cuda/staging.h"

namespace seraph::cuda {

constexpr int32_t kStepsInFlight = 2;

/// What a row asks for, but for its lists: their places are empty.
DeviceSampleRow plain_row(const SampleRow& row);

class DeviceSampler {
 public:
  DeviceSampler(StreamWork& work, Staging& staging) : work_(work), staging_(staging) {}

  /// Room for steps of so many rows of so many columns. False when there is no memory.
  bool plan(int64_t rows_max, int64_t columns);
  /// What plan() reserved on the device, and pinned on the host.
  int64_t device_bytes() const;
  int64_t host_bytes() const;

  /// Moves what the rows ask for to the device, where launch() then finds it. False when it does not fit at once.
  bool stage(const SampleArgs& args);
  bool staged(const SampleArgs& args) const { return staged_rows_ == args.rows.data() && staged_rows_ != nullptr; }
  /// The draws of the step, in one launch when they were staged. Rows that fit the room only in parts take several.
  void launch(const SampleArgs& args);
  void set_recording(bool recording) { recording_ = recording; }
  /// Where the rows' tokens lie, and how many rows there is room for.
  const int32_t* tokens() const { return static_cast<const int32_t*>(results_.data()); }
  int64_t rows_max() const { return rows_max_; }

  /// Starts the way back of what the step drew, into the place of `slot`.
  void fetch(int32_t slot);
  /// Writes the results of the step in `slot` to where its SampleArgs said. REQUIRES: the copies are done.
  void deliver(int32_t slot);

 private:
  /// What a launch reads, in elements.
  struct Room {
    int64_t counts = 0;
    int64_t bias = 0;
    int64_t banned = 0;
    int64_t allowed_words = 0;
  };
  struct Fetched {
    std::span<SampleResult> results = {};
    int32_t stride = 0;
  };
  /// A power of few: launches that are recorded differ in it.
  static int32_t stride_of(std::span<const SampleRow> rows);

  int64_t fill(const SampleArgs& args, int64_t begin);
  bool append(const SampleArgs& args, const SampleRow& row);
  void move();
  void launch_rows(const SampleArgs& args, int64_t begin, int64_t count);
  char* results_at(int64_t integers) const { return static_cast<char*>(results_.data()) + integers * 4; }

  StreamWork& work_;
  Staging& staging_;
  int64_t rows_max_ = 0;
  Room room_;
  Buffer device_rows_, device_counts_, device_bias_, device_banned_, device_allowed_, saved_;
  Buffer results_;  // [rows] tokens, [rows] counts of logprobs, then ids, logprobs and ranks [rows, stride]
  std::array<Buffer, kStepsInFlight> fetched_memory_;
  std::array<Fetched, kStepsInFlight> fetched_;
  Fetched current_;
  const SampleRow* staged_rows_ = nullptr;
  bool recording_ = false;

  // What is on its way to the device; reused.
  std::vector<DeviceSampleRow> rows_;
  std::vector<DeviceTokenCount> counts_;
  std::vector<DeviceTokenBias> bias_;
  std::vector<int32_t> banned_;
  std::vector<uint32_t> allowed_;
};

}  // namespace seraph::cuda
