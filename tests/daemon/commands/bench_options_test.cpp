#include <gtest/gtest.h>

#include <set>

#include "daemon/commands/bench.h"

namespace seraph {
namespace {

TEST(BenchOptions, NoTableNamesAnOptionTwice) {
  for (const OptionTable& table : {bench_serve_options(), bench_latency_options(), bench_throughput_options()}) {
    std::set<std::string> names;
    for (const OptionRow* row : table.rows) EXPECT_TRUE(names.insert(row->name).second) << table.command << row->name;
  }
}

TEST(BenchOptions, DefaultsAreVllms) {
  const auto settings = resolve_settings(bench_serve_options(), Verb::kServe, Sources{{}, nullptr});
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->number("port"), 8000);
  EXPECT_EQ(settings->text("dataset-name"), "random");
  EXPECT_EQ(settings->number("num-prompts"), 1000);
  EXPECT_EQ(settings->list("percentile-metrics"), (std::vector<std::string>{"ttft", "tpot", "itl"}));
}

}  // namespace
}  // namespace seraph
