#include <gtest/gtest.h>

#include "daemon/commands/bench_report.h"

namespace seraph {
namespace {

TEST(BenchSpec, SpeculationIsTheDifferenceOfTwoScrapes) {
  const auto text = [](int accepted) {
    const std::string value = std::to_string(accepted);
    return "# HELP x y\nvllm:spec_decode_num_drafts_total{engine=\"0\"} 10\n"
           "vllm:spec_decode_num_draft_tokens_total{engine=\"0\"} 40\n"
           "vllm:spec_decode_num_accepted_tokens_total{engine=\"0\"} " +
           value + "\nvllm:spec_decode_num_accepted_tokens_per_pos_total{position=\"1\"} " + value + "\n";
  };
  SpecCounters before = parse_spec_counters(text(5));
  before.drafts = 0;
  const SpecCounters spec = parse_spec_counters(text(25)) - before;
  EXPECT_EQ(spec.accepted_tokens, 20);
  EXPECT_EQ(spec.accepted_at, (std::vector<double>{0, 20}));
  BenchReport report;
  report.spec = spec;
  const std::string table = bench_table(report, 0, 1);
  EXPECT_NE(table.find("Acceptance length:                       3.00"), std::string::npos) << table;
  EXPECT_EQ(bench_result(report, {}, false).find("spec_decode_num_drafts")->as_int(), 10);
  EXPECT_EQ(parse_spec_counters("vllm:spec_decode_num_drafts_total\nnonsense").drafts, 0);
}

}  // namespace
}  // namespace seraph
