#include "daemon/api/metrics.h"

#include <gtest/gtest.h>

#include <string>

namespace seraph {
namespace {

EngineInfo info() {
  EngineInfo out;
  out.max_model_len = 512;
  out.block_tokens = 16;
  return out;
}

TEST(MetricsTest, HistogramBucketsIncludeTheirBound) {
  const double bounds[] = {1, 2, 5};
  Histogram histogram(bounds);
  for (const double value : {0.5, 1.0, 1.5, 5.0, 6.0}) histogram.observe(value);
  EXPECT_EQ(std::vector<int64_t>(histogram.counts().begin(), histogram.counts().end()),
            (std::vector<int64_t>{2, 1, 1, 1}));
  EXPECT_DOUBLE_EQ(histogram.sum(), 14.0);
}

TEST(MetricsTest, EverySeriesExistsFromTheStartWithModelNameAndEngine) {
  const std::string text = ApiMetrics("tiny", info()).text({}, {});
  for (const char* line : {
           "vllm:num_requests_running{engine=\"0\",model_name=\"tiny\"} 0.0\n",
           "vllm:gpu_cache_usage_perc{engine=\"0\",model_name=\"tiny\"} 0.0\n",
           "vllm:generation_tokens_total{engine=\"0\",model_name=\"tiny\"} 0.0\n",
           "vllm:request_success_total{engine=\"0\",model_name=\"tiny\",finished_reason=\"stop\"} 0.0\n",
           "vllm:request_success_total{engine=\"0\",model_name=\"tiny\",finished_reason=\"abort\"} 0.0\n",
           "vllm:time_to_first_token_seconds_bucket{engine=\"0\",model_name=\"tiny\",le=\"0.001\"} 0.0\n",
           "vllm:time_per_output_token_seconds_count{engine=\"0\",model_name=\"tiny\"} 0.0\n",
           "vllm:inter_token_latency_seconds_bucket{engine=\"0\",model_name=\"tiny\",le=\"+Inf\"} 0.0\n",
           "vllm:request_prompt_tokens_bucket{engine=\"0\",model_name=\"tiny\",le=\"500.0\"} 0.0\n",
           "# TYPE vllm:iteration_tokens_total histogram\n",
           "seraph:kv_blocks_held{engine=\"0\",model_name=\"tiny\"} 0.0\n",
           "seraph:http_connections_open{engine=\"0\",model_name=\"tiny\"} 0.0\n",
       }) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(text.find("le=\"1000.0\"} 0.0\nvllm:request_prompt"), std::string::npos);
}

TEST(MetricsTest, AFinishedSequenceIsObservedOnce) {
  ApiMetrics metrics("tiny", info());
  metrics.observe_finish({.arrived_us = 1'000'000,
                          .scheduled_us = 1'100'000,
                          .first_token_us = 1'200'000,
                          .last_token_us = 2'200'000,
                          .prompt_tokens = 10,
                          .cached_tokens = 4,
                          .generation_tokens = 11,
                          .tokens_max = 20,
                          .kind = FinishKind::kLength});
  metrics.observe_finish({.kind = FinishKind::kAbort});
  const std::string text = metrics.text({}, {});
  EXPECT_NE(text.find("finished_reason=\"length\"} 1.0"), std::string::npos);
  EXPECT_NE(text.find("finished_reason=\"abort\"} 1.0"), std::string::npos);
  EXPECT_NE(text.find("vllm:e2e_request_latency_seconds_sum{engine=\"0\",model_name=\"tiny\"} 1.2"), std::string::npos);
  EXPECT_NE(text.find("vllm:request_time_per_output_token_seconds_sum{engine=\"0\",model_name=\"tiny\"} 0.1"),
            std::string::npos);
  EXPECT_NE(text.find("vllm:request_prefill_kv_computed_tokens_sum{engine=\"0\",model_name=\"tiny\"} 6.0"),
            std::string::npos);
}

TEST(MetricsTest, RowsOfTheDatabaseAreCounted) {
  ApiMetrics metrics("tiny", info());
  EXPECT_EQ(metrics.text({}, {}).find("seraph:database"), std::string::npos);
  const auto store = std::move(Store::open(":memory:")).value();
  metrics.set_store(store.get());
  const std::string text = metrics.text({}, {});
  EXPECT_NE(text.find("seraph:database_rows_dropped_total{engine=\"0\",model_name=\"tiny\"} 0.0\n"), std::string::npos);
  EXPECT_NE(text.find("seraph:database_rows_committed_total{"), std::string::npos);
}

TEST(MetricsTest, LabelsAreEscaped) {
  EXPECT_NE(ApiMetrics("a\"b\\c", info()).text({}, {}).find("model_name=\"a\\\"b\\\\c\""), std::string::npos);
}

TEST(MetricsTest, StepsSinceTheLastLookAreCounted) {
  ApiMetrics metrics("tiny", info());
  EngineStats stats;
  stats.num_steps = 3;
  stats.step_tokens_last = 8;
  metrics.observe_steps(stats);
  metrics.observe_steps(stats);
  EXPECT_NE(metrics.text(stats, {}).find("vllm:iteration_tokens_total_count{engine=\"0\",model_name=\"tiny\"} 3.0"),
            std::string::npos);
}

TEST(MetricsTest, AdaptersInUseAreLabels) {
  EXPECT_EQ(ApiMetrics("tiny", info()).text({}, {}).find("lora_requests_info"), std::string::npos);
  EngineInfo with_slots = info();
  with_slots.max_loras = 2;
  const std::string text = ApiMetrics("tiny", with_slots).text({}, {}, {.running = {"b", "a\"x"}, .waiting = {"c"}});
  EXPECT_NE(text.find("vllm:lora_requests_info{engine=\"0\",model_name=\"tiny\",max_lora=\"2\","
                      "running_lora_adapters=\"a\\\"x,b\",waiting_lora_adapters=\"c\"} "),
            std::string::npos);
}

}  // namespace
}  // namespace seraph
