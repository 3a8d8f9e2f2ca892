// What /metrics shows: vLLM's names, old and new together, filled from the engine's counters and from what the loop
// sees of each request. Loop thread.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/http/server.h"
#include "daemon/store/store.h"
#include "engine/base/clock.h"
#include "engine/engine.h"

namespace seraph {

class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds) : bounds_(bounds), counts_(bounds.size() + 1) {}
  void observe(double value, int64_t times = 1);
  std::span<const double> bounds() const { return bounds_; }
  /// Not cumulative; the last one is beyond all bounds.
  std::span<const int64_t> counts() const { return counts_; }
  double sum() const { return sum_; }

 private:
  std::span<const double> bounds_;  // ascending, static
  std::vector<int64_t> counts_;
  double sum_ = 0;
};

enum class FinishKind : uint8_t { kStop, kLength, kAbort, kError, kRepetition };

/// One finished sequence. Times in microseconds; 0: not reached.
struct SequenceRecord {
  MonotonicUs arrived_us = 0, scheduled_us = 0, first_token_us = 0, last_token_us = 0;
  int64_t prompt_tokens = 0, cached_tokens = 0, generation_tokens = 0;
  int64_t tokens_max = 0;
  FinishKind kind = FinishKind::kStop;
};

/// Names of the adapters that requests ask for now.
struct AdapterUse {
  std::set<std::string> running, waiting;
};

class ApiMetrics {
 public:
  ApiMetrics(std::string model_name, const EngineInfo& info);
  /// Whose rows are counted; must outlive this object. Without one there are no series of it.
  void set_store(const Store* store) { store_ = store; }

  void observe_request(int64_t n, int64_t max_tokens_asked);  // max_tokens_asked < 0: none
  void observe_first_token(MonotonicUs latency) { time_to_first_token_.observe(seconds(latency)); }
  void observe_next_token(MonotonicUs latency) { inter_token_latency_.observe(seconds(latency)); }
  void observe_finish(const SequenceRecord& record);
  /// Called once per wake-up: steps that went by since the last call count with the last step's tokens.
  void observe_steps(const EngineStats& stats);
  void count_rejection() { ++rejections_; }
  /// An answer went through a tool parser.
  enum class RequestType : uint8_t { kChat, kResponses, kOther };
  void count_tool_parse(RequestType type, bool streaming, bool found_calls) {
    ++tool_parses_[(static_cast<size_t>(type) * 2 + (streaming ? 0 : 1)) * 2 + (found_calls ? 0 : 1)];
  }

  std::string text(const EngineStats& stats, const HttpCounters& http, const AdapterUse& adapters = {}) const;

 private:
  static double seconds(MonotonicUs us) { return static_cast<double>(us) * 1e-6; }
  void append_engine(std::string& out, const EngineStats& stats) const;
  void append_cache(std::string& out, const EngineStats& stats) const;
  void append_sources(std::string& out, const EngineStats& stats) const;
  void append_requests(std::string& out) const;
  void append_adapters(std::string& out, const AdapterUse& adapters) const;
  void append_tool_parses(std::string& out) const;
  void append_store(std::string& out) const;
  void append_http(std::string& out, const HttpCounters& http) const;
  void append_process(std::string& out, const EngineStats& stats, const HttpCounters& http) const;
  void family(std::string& out, std::string_view name, std::string_view type, std::string_view help) const;
  void sample(std::string& out, std::string_view name, double value, std::string_view more_labels = {}) const;
  void single(std::string& out, std::string_view name, std::string_view type, std::string_view help,
              double value) const;
  struct Labelled {
    std::string labels;
    double value = 0;
  };
  /// A counter with samples by label, and when they began. `name` ends in _total.
  void counters(std::string& out, std::string_view name, std::string_view help,
                std::span<const Labelled> samples) const;
  void histogram(std::string& out, std::string_view name, std::string_view help, const Histogram& values) const;

  const std::string labels_;  // engine="0",model_name="..."
  const EngineInfo info_;
  const std::vector<double> token_bounds_;
  const Store* store_ = nullptr;
  Histogram time_to_first_token_, inter_token_latency_, time_per_output_token_;
  Histogram e2e_latency_, queue_time_, inference_time_, prefill_time_, decode_time_;
  Histogram prompt_tokens_, generation_tokens_, max_generation_tokens_, params_max_tokens_, computed_tokens_;
  Histogram params_n_, iteration_tokens_;
  std::array<int64_t, 5> finished_{};      // by FinishKind
  std::array<int64_t, 12> tool_parses_{};  // type, streaming or not, calls or not
  int64_t rejections_ = 0;
  int64_t steps_seen_ = 0;
  const double started_unix_s_;
};

}  // namespace seraph
