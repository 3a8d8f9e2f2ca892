#include "daemon/commands/bench_dataset.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>

namespace seraph {
namespace {

std::string write_file(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

std::unique_ptr<Tokenizer> load_tokenizer() {
  auto tokenizer = Tokenizer::load(std::string(SERAPH_TEST_DATA) + "/golden/api/model");
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  return std::move(*tokenizer);
}

std::vector<std::string> texts_of(const std::vector<BenchPrompt>& prompts) {
  std::vector<std::string> out;
  for (const BenchPrompt& prompt : prompts) out.push_back(prompt.text);
  return out;
}

TEST(BenchDataset, RandomPromptsHaveTheirLengthAndDiffer) {
  const auto tokenizer = load_tokenizer();
  const BenchDataset dataset{.num_prompts = 20, .random_input_tokens = 30, .random_output_tokens = 7};
  const auto prompts = make_bench_prompts(dataset, tokenizer.get());
  ASSERT_TRUE(prompts.ok());
  std::set<std::string> beginnings;
  for (const BenchPrompt& prompt : *prompts) {
    EXPECT_NEAR(static_cast<double>(tokenizer->encode(prompt.text, false).size()), 30, 2);
    EXPECT_EQ(prompt.output_tokens, 7);
    beginnings.insert(prompt.text.substr(0, 8));
  }
  EXPECT_GT(beginnings.size(), 15U);
  EXPECT_EQ(texts_of(*prompts), texts_of(*make_bench_prompts(dataset, tokenizer.get())));
}

TEST(BenchDataset, LengthsStayInTheirRange) {
  const BenchDataset dataset{
      .num_prompts = 200, .random_input_tokens = 10, .random_output_tokens = 10, .random_range_ratio = 0.5};
  std::set<int64_t> inputs;
  const auto prompts = make_bench_prompts(dataset, nullptr);
  for (const BenchPrompt& prompt : *prompts) {
    EXPECT_GE(prompt.output_tokens, 5);
    EXPECT_LE(prompt.output_tokens, 15);
    EXPECT_GE(prompt.input_tokens, 5);
    EXPECT_LE(prompt.input_tokens, 15);
    inputs.insert(prompt.input_tokens);
  }
  EXPECT_GT(inputs.size(), 8U);
}

TEST(BenchDataset, PrefixesAreShared) {
  const BenchDataset random{.num_prompts = 2, .random_input_tokens = 5, .random_prefix_tokens = 6};
  const auto prompts = make_bench_prompts(random, nullptr);
  EXPECT_EQ(prompts->at(0).text.substr(0, 20), prompts->at(1).text.substr(0, 20));
  const BenchDataset repeated{
      .name = "prefix_repetition", .num_prompts = 4, .num_prefixes = 2, .prefix_tokens = 6, .suffix_tokens = 3};
  const auto texts = texts_of(*make_bench_prompts(repeated, nullptr));
  EXPECT_EQ(texts[0].substr(0, 15), texts[2].substr(0, 15));
  EXPECT_NE(texts[0].substr(0, 15), texts[1].substr(0, 15));
  EXPECT_NE(texts[0], texts[2]);
}

constexpr const char* kShareGpt = R"([
  {"conversations": [{"from": "human", "value": "tell me a story of the sea"}, {"from": "gpt", "value": "once upon a time there was a sea"}]},
  {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "once upon a time there was a sea"}]},
  {"conversations": [{"from": "human", "value": "a question without an answer at all"}]},
  {"conversations": [{"from": "human", "value": "another long question of mine"}, {"from": "gpt", "value": "no"}]}
])";

TEST(BenchDataset, ShareGptLeavesOutWhatIsTooShort) {
  BenchDataset dataset{.name = "sharegpt", .path = write_file("sharegpt.json", kShareGpt), .num_prompts = 3};
  auto prompts = make_bench_prompts(dataset, nullptr);
  ASSERT_TRUE(prompts.ok());
  EXPECT_EQ(texts_of(*prompts), std::vector<std::string>(3, "tell me a story of the sea"));
  EXPECT_EQ(prompts->front().output_tokens, 8);  // 32 bytes
  dataset.oversample = false;
  EXPECT_EQ(make_bench_prompts(dataset, nullptr)->size(), 1U);
  dataset.sharegpt_output_tokens = 5;  // then the answer's length does not matter
  prompts = make_bench_prompts(dataset, nullptr);
  EXPECT_EQ(prompts->size(), 2U);
  EXPECT_EQ(prompts->front().output_tokens, 5);
}

TEST(BenchDataset, CustomLinesAreReadInOrderOrShuffled) {
  std::string lines;
  for (int i = 0; i < 50; ++i) lines += "{\"prompt\": \"p" + std::to_string(i) + "\", \"output_tokens\": 9}\n\n";
  BenchDataset dataset{.name = "custom", .path = write_file("custom.jsonl", lines), .num_prompts = 50};
  dataset.shuffle = false;
  const auto ordered = make_bench_prompts(dataset, nullptr);
  EXPECT_EQ(ordered->at(1).text, "p1");
  EXPECT_EQ(ordered->at(1).output_tokens, 256);
  dataset.shuffle = true;
  dataset.custom_output_tokens = -1;
  const auto shuffled = make_bench_prompts(dataset, nullptr);
  EXPECT_EQ(shuffled->at(0).output_tokens, 9);
  EXPECT_NE(texts_of(*shuffled), texts_of(*ordered));
  const auto texts = texts_of(*shuffled);
  EXPECT_EQ(std::set<std::string>(texts.begin(), texts.end()).size(), 50U);
}

TEST(BenchDataset, FilesThatCannotBeUsedAreRefused) {
  const auto message = [](const char* name, const std::string& path) {
    const auto prompts = make_bench_prompts({.name = name, .path = path, .custom_output_tokens = -1}, nullptr);
    return prompts.ok() ? "taken" : prompts.error().text();
  };
  EXPECT_NE(message("custom", "").find("--dataset-path"), std::string::npos);
  EXPECT_NE(message("custom", "/no/such/file").find("/no/such/file"), std::string::npos);
  EXPECT_NE(message("sharegpt", write_file("object.json", "{}")).find("array"), std::string::npos);
  EXPECT_NE(message("sharegpt", write_file("empty.json", "[]")).find("no entry"), std::string::npos);
  EXPECT_NE(message("custom", write_file("bad.jsonl", "{\"prompt\":\"a\",\"output_tokens\":1}\n{}")).find("line 2"),
            std::string::npos);
  EXPECT_NE(message("custom", write_file("short.jsonl", "{\"prompt\":\"a\"}")).find("output_tokens"),
            std::string::npos);
}

}  // namespace
}  // namespace seraph
