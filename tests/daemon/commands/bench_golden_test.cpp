// vLLM's own client prints these rows and writes these keys (golden/api/bench.json).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <sstream>

#include "daemon/commands/bench.h"
#include "daemon/commands/bench_report.h"

namespace seraph {
namespace {

std::string bench_file() {
  const char* folder = std::getenv("SERAPH_GOLDEN_DIR");
  return (folder != nullptr ? std::string(folder) : std::string(SERAPH_SOURCE_DIR) + "/../shared/golden") +
         "/api/bench.json";
}

/// The label of a row; a section line is its own label.
std::string label_of(const std::string& line) {
  return line.starts_with("-") || line.starts_with("=") ? line : line.substr(0, line.find(':') + 1);
}

BenchReport report_of(const std::string& options) {
  BenchFigures figures{.metric_keys = {"ttft", "tpot", "itl"}, .percents = {99}};
  if (options.find("e2el") != std::string::npos) figures.metric_keys.push_back("e2el");
  if (options.find("50,90,99") != std::string::npos) figures.percents = {50, 90, 99};
  if (options.find("--goodput") != std::string::npos) figures.goodput = *parse_goodput({"ttft:1000", "tpot:100"});
  return make_bench_report({}, 1, figures);
}

TEST(BenchGolden, TablesHaveVllmsRowsAndResultsItsKeys) {
  if (!std::filesystem::exists(bench_file())) GTEST_SKIP() << bench_file() << " is not there";
  const auto file = Json::parse_file(bench_file());
  ASSERT_TRUE(file.ok());
  int num_tables = 0;
  for (const Json& run : file->find("runs")->as_array()) {
    const Json* table = run.find("table");
    if (table == nullptr) continue;
    ++num_tables;
    const std::string& options = run.find("options")->as_string();
    const BenchReport report = report_of(options);
    const bool limited = options.find("--max-concurrency") != std::string::npos;
    const bool rated = options.find("--request-rate") != std::string::npos;
    std::istringstream ours(bench_table(report, limited ? 4 : 0, rated ? 20 : std::numeric_limits<double>::infinity()));
    std::string line;
    for (const Json& row : table->as_array()) {
      ASSERT_TRUE(std::getline(ours, line)) << row.as_string();
      EXPECT_EQ(label_of(line), label_of(row.as_string()));
      EXPECT_EQ(line.size(), row.as_string().size()) << line;
    }
    EXPECT_FALSE(std::getline(ours, line)) << line;
    const Json result = bench_result(report, {}, options.find("--save-detailed") != std::string::npos);
    bool in_figures = false;  // what was configured comes first
    for (const auto& [name, value] : run.find("result_file")->as_object()) {
      in_figures |= name == "duration";
      EXPECT_TRUE(!in_figures || result.find(name) != nullptr) << name;
    }
  }
  std::cout << num_tables << " tables\n";
  EXPECT_GT(num_tables, 4);
}

TEST(BenchGolden, EveryOptionOfTheOpenAiBackendsIsKnownWithItsDefault) {
  if (!std::filesystem::exists(bench_file())) GTEST_SKIP() << bench_file() << " is not there";
  const auto file = Json::parse_file(bench_file());
  ASSERT_TRUE(file.ok());
  // Of data sets and drawings that are not offered.
  constexpr const char* kOthers[] = {"--help",      "random-mm",    "asr-",  "blazedit", "timed-trace",
                                     "spec-bench",  "speed-bench",  "hf-",   "bfcl",     "custom-ensure",
                                     "no-reranker", "random-batch", "plot-", "timeline", "multimodal",
                                     "self-timed",  "probe-"};
  const OptionTable table = bench_serve_options();
  int num_known = 0;
  for (const Json& option : file->find("options")->find("serve")->as_array()) {
    const std::string& name = option.find("name")->as_string();
    if (std::any_of(std::begin(kOthers), std::end(kOthers),
                    [&](const char* other) { return name.find(other) != std::string::npos; })) {
      continue;
    }
    const OptionRow* row = table.find(name.substr(2));
    ASSERT_NE(row, nullptr) << name;
    ++num_known;
    const Json* fallback = option.find("default");
    EXPECT_TRUE(!fallback->is_int() || std::to_string(fallback->as_int()) == row->serve_default) << name;
  }
  std::cout << num_known << " options\n";
  EXPECT_GT(num_known, 50);
}

}  // namespace
}  // namespace seraph
