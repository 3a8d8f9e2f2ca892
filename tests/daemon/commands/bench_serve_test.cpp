#include <gtest/gtest.h>

#include "daemon/commands/bench.h"

namespace seraph {
namespace {

std::string refusal(std::vector<std::string> words) {
  for (const char* word : {"--port", "1", "--model", "m", "--num-prompts", "1"}) words.emplace_back(word);
  const auto settings = resolve_settings(bench_serve_options(), Verb::kServe, Sources{words, nullptr});
  if (!settings.ok()) return settings.error().text();
  const Status status = bench_serve(*settings);
  return status.ok() ? "taken" : status.error().text();
}

TEST(BenchServe, ContradictionsAreNamed) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"--backend", "openai-chat", "--endpoint", "/v1/completions"}, "openai-chat"},
      {{"--request-rate", "0"}, "request-rate"},
      {{"--burstiness", "x"}, "burstiness"},
      {{"--ramp-up-strategy", "linear"}, "ramp-up-start-rps"},
      {{"--goodput", "itl:3"}, "goodput"},
      {{"--percentile-metrics", "speed"}, "speed"},
      {{"--metric-percentiles", "101"}, "101"},
      {{"--header", "novalue"}, "header"},
      {{"--extra-body", "[1]"}, "extra-body"},
      {{"--dataset-name", "hf"}, "hf"},
      {{"--dataset-name", "custom"}, "dataset-path"},
      {{"--tokenizer", "/no/such/folder"}, "/no/such/folder"},
  };
  for (const auto& [words, text] : cases) EXPECT_NE(refusal(words).find(text), std::string::npos) << refusal(words);
}

TEST(BenchServe, AServerThatIsNotThereIsAFailure) {
  EXPECT_NE(refusal({"--disable-tqdm"}).find("not every request"), std::string::npos);
}

}  // namespace
}  // namespace seraph
