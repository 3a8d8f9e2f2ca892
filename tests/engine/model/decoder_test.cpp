#include "engine/model/decoder.h"

#include "tests/engine/model/model_runner.h"

namespace seraph {
namespace {

const std::string kModels = SERAPH_TEST_DATA "/golden/models/";
const std::vector<std::string> kNames = {"llama-dynamic", "mistral-head-dim", "qwen2-window", "qwen3"};

TEST(Decoder, GivesTheLogitsAndGreedyTokensOfTransformers) {
  for (const auto& name : kNames) {
    ModelRunner runner(kModels + name, DType::kF32);
    ASSERT_EQ(runner.error(), "") << name;
    const GoldenTruth truth(kModels + name);
    for (const GoldenPrompt& prompt : truth.prompts) {
      Sequence s = runner.start(prompt.ids);
      const Gap gap = gap_of(runner.prefill(s, 256), truth.rows("logits." + prompt.name), prompt.rows);
      runner.finish(s);
      EXPECT_LE(gap.max, 2e-4) << name << " " << prompt.name;
      EXPECT_EQ(runner.greedy(prompt.ids, 32, 256), prompt.greedy) << name << " " << prompt.name;
    }
  }
}

TEST(Decoder, ChunkedPrefillIsBitEqualToWhole) {
  for (const DType compute : {DType::kF32, DType::kBf16, DType::kF16}) {
    for (const auto& name : kNames) {
      ModelRunner runner(kModels + name, compute);
      ASSERT_EQ(runner.error(), "") << name;
      const std::vector<int32_t> prompt = GoldenTruth(kModels + name).prompts.at(2).ids;
      Sequence whole = runner.start(prompt);
      const auto expected = runner.prefill(whole, 256);
      runner.finish(whole);
      for (const int32_t chunk : {1, 7, 16, 64}) {
        Sequence s = runner.start(prompt);
        EXPECT_EQ(runner.prefill(s, chunk), expected) << name << " in chunks of " << chunk;
        runner.finish(s);
      }
    }
  }
}

TEST(Decoder, ARowDoesNotDependOnTheRowsBesideIt) {
  for (const DType compute : {DType::kF32, DType::kBf16, DType::kF16}) {
    for (const auto& name : kNames) {
      ModelRunner runner(kModels + name, compute);
      ASSERT_EQ(runner.error(), "") << name;
      const auto prompts = GoldenTruth(kModels + name).prompts;
      Sequence lone = runner.start(prompts[1].ids);
      const auto alone = runner.step({{&lone, lone.prompt_tokens, Want::kLast}});
      lone.ids.push_back(9);
      const auto next = runner.step({{&lone, 1, Want::kLast}});
      runner.finish(lone);

      Sequence a = runner.start(prompts[3].ids), b = runner.start(prompts[1].ids), c = runner.start(prompts[2].ids);
      const auto mixed = runner.step({{&a, 5, Want::kNone}, {&b, b.prompt_tokens, Want::kLast}, {&c, 40, Want::kLast}});
      EXPECT_EQ(mixed.at(0), alone.at(0)) << name;
      b.ids.push_back(9);
      const auto second = runner.step({{&c, 60, Want::kAll}, {&a, 3, Want::kNone}, {&b, 1, Want::kLast}});
      EXPECT_EQ(second.back(), next.at(0)) << name;
    }
  }
}

TEST(Decoder, PrefillWithoutLogitsLeavesTheSameCache) {
  ModelRunner runner(kModels + "qwen3", DType::kF32);
  ASSERT_EQ(runner.error(), "");
  const auto prompt = GoldenTruth(kModels + "qwen3").prompts.at(3).ids;
  Sequence a = runner.start(prompt), b = runner.start(prompt);
  const auto expected = runner.step({{&a, a.prompt_tokens, Want::kLast}});
  EXPECT_TRUE(runner.step({{&b, 20, Want::kNone}}).empty());
  EXPECT_EQ(runner.step({{&b, b.prompt_tokens - 20, Want::kLast}}), expected);
}

TEST(Decoder, DummyWeightsGiveFiniteSpreadLogitsWithoutAnyFile) {
  const auto dir = std::filesystem::temp_directory_path() / "seraph_dummy_model";
  std::filesystem::create_directories(dir);
  for (const char* extra : {"", R"(,"tie_word_embeddings":true)"}) {
    std::ofstream(dir / "config.json")
        << R"({"architectures":["Qwen2ForCausalLM"],"hidden_size":96,"intermediate_size":200,"num_hidden_layers":12,
            "num_attention_heads":2,"num_key_value_heads":1,"head_dim":64,"vocab_size":1000)"
        << extra << "}";
    for (const DType compute : {DType::kF32, DType::kBf16, DType::kF16}) {
      ModelRunner runner(dir, compute, true);
      ASSERT_EQ(runner.error(), "");
      Sequence s = runner.start({1, 500, 999, 3, 4});
      const auto logits = runner.prefill(s, 256).back();
      double square = 0.0;
      for (const float value : logits) square += static_cast<double>(value) * static_cast<double>(value);
      const double spread = std::sqrt(square / static_cast<double>(logits.size()));
      EXPECT_GT(spread, 0.1);
      EXPECT_LT(spread, 10.0);
    }
  }
}

}  // namespace
}  // namespace seraph
