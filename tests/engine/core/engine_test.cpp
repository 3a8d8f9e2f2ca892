// The whole engine with real (tiny) checkpoints on the CPU backend, through its public face.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/engine/core/engine_client.h"

namespace seraph {
namespace {

std::string model_dir(const std::string& name) { return std::string(SERAPH_TEST_DATA) + "/golden/models/" + name; }

EngineOptions options_for(const std::string& model) {
  EngineOptions options;
  options.model_dir = model_dir(model);
  options.max_model_len = 96;
  options.threads = 1;
  options.pin_threads = false;
  return options;
}

Request random_request(std::mt19937_64& random, RequestId id) {
  const auto pick = [&random](int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, high)(random);
  };
  Request request;
  request.id = id;
  const int32_t text = pick(0, 2);
  for (int32_t i = 0, n = pick(1, 60); i < n; ++i)
    request.prompt_ids.edit().push_back(5 + (text * 131 + i * i * 7) % 500);
  SamplingParams& sampling = request.sampling;
  sampling.temperature = pick(0, 1) == 0 ? 0.0F : 0.2F * static_cast<float>(pick(1, 6));
  sampling.seed = random();
  sampling.tokens_max = pick(1, 30);
  sampling.ignore_eos = pick(0, 1) == 0;
  if (pick(0, 2) == 0) sampling.top_p = 0.9F;
  if (pick(0, 2) == 0) sampling.top_k = pick(1, 50);
  if (pick(0, 3) == 0) sampling.repetition_penalty = 1.2F;
  if (pick(0, 3) == 0) sampling.presence_penalty = 0.5F;
  if (pick(0, 3) == 0) sampling.tokens_min = pick(0, sampling.tokens_max);
  if (pick(0, 2) == 0) sampling.num_logprobs = pick(0, 5);
  if (pick(0, 4) == 0) sampling.num_prompt_logprobs = pick(0, 3);
  request.priority = pick(0, 1);
  return request;
}

void expect_same(const Answer& mixed, const Answer& alone, RequestId id) {
  EXPECT_EQ(mixed.tokens, alone.tokens) << "request " << id;
  EXPECT_EQ(mixed.finish, alone.finish) << "request " << id;
  EXPECT_TRUE(mixed.logprobs == alone.logprobs) << "request " << id;
  EXPECT_TRUE(mixed.prompt_logprobs == alone.prompt_logprobs) << "request " << id;
}

struct ExactnessCase {
  const char* model;
  const char* dtype;
  const char* kv_cache_dtype;
};

class EngineExactness : public testing::TestWithParam<ExactnessCase> {};

// Tokens and logprobs bit for bit: alone on one side, mixed on the other (chunks, a tiny cache that preempts, shared
// prefixes, cancelled mates, threads).
TEST_P(EngineExactness, MixedRequestsRepeatWhatEachGivesAlone) {
  const auto [model, dtype, kv_cache_dtype] = GetParam();
  std::mt19937_64 random(17);
  std::vector<Request> requests;
  for (RequestId id = 1; id <= 40; ++id) requests.push_back(random_request(random, id));

  EngineOptions options = options_for(model);
  options.dtype = dtype;
  options.kv_cache_dtype = kv_cache_dtype;
  EngineOptions alone_options = options;
  alone_options.enable_prefix_caching = false;
  EngineClient alone(alone_options);
  for (const Request& request : requests) {
    alone.submit(request);
    alone.wait_for_all();
  }

  int64_t preemptions = 0;
  int64_t swaps = 0;
  int64_t hits = 0;
  for (int mix = 0; mix < 4; ++mix) {
    EngineOptions mixed_options = options;
    mixed_options.block_tokens = mix % 2 == 0 ? 8 : 16;
    mixed_options.max_num_seqs = 2 + mix * 5;
    mixed_options.max_num_batched_tokens = 20 + mix * 40;
    mixed_options.num_kv_blocks_override = 96 / mixed_options.block_tokens + 1 + mix;
    mixed_options.threads = 1 + mix % 2;
    mixed_options.swap_bytes = mix % 2 == 0 ? 0 : int64_t{1} << 22;
    mixed_options.preemption = "swap";
    EngineClient mixed(mixed_options);
    std::shuffle(requests.begin(), requests.end(), random);
    for (const Request& request : requests) {
      mixed.submit(request);
      if (random() % 4 == 0) mixed.wait();
      if (random() % 8 == 0) mixed.engine->cancel(request.id);
    }
    mixed.wait_for_all();
    int num_cancelled = 0;
    for (const Request& request : requests) {
      const Answer& answer = mixed.answers[request.id];
      ASSERT_EQ(answer.num_finishes, 1);
      if (answer.finish == FinishReason::kCancelled) {
        ++num_cancelled;
        const std::vector<TokenId>& whole = alone.answers[request.id].tokens;
        ASSERT_LE(answer.tokens.size(), whole.size());
        EXPECT_TRUE(std::equal(answer.tokens.begin(), answer.tokens.end(), whole.begin()));
      } else {
        expect_same(answer, alone.answers[request.id], request.id);
      }
    }
    EXPECT_LT(num_cancelled, 20);
    const EngineStats stats = mixed.engine->stats();
    preemptions += stats.num_preemptions;
    swaps += stats.num_swaps;
    EXPECT_EQ(stats.host_blocks_held, 0);
    hits += stats.prefix_hits_tokens;
  }
  EXPECT_GT(preemptions, swaps);
  EXPECT_GT(swaps, 0);
  EXPECT_GT(hits, 0);
}

TEST(Engine, TheTokenizersEosEndsAnswersBesideTheFilesOwn) {
  Request request;
  request.id = 1;
  request.prompt_ids = {5, 6, 7, 8};
  request.sampling.tokens_max = 8;
  EngineOptions options = options_for("qwen3");
  EngineClient plain(options);
  plain.submit(request);
  plain.wait_for_all();
  const std::vector<TokenId> whole = plain.answers[1].tokens;
  ASSERT_EQ(whole.size(), 8U);

  const TokenId eos = whole[3];
  options.tokenizer_eos = [eos] { return eos; };
  EngineClient client(options);
  const std::vector<TokenId>& ids = client.engine->info().eos_ids;
  EXPECT_EQ(ids.size(), plain.engine->info().eos_ids.size() + 1);
  client.submit(request);
  Request ignoring = request;
  ignoring.id = 2;
  ignoring.sampling.ignore_eos = true;
  client.submit(ignoring);
  Request longer = request;
  longer.id = 3;
  longer.sampling.tokens_min = 8;
  client.submit(longer);
  client.wait_for_all();
  const auto first = static_cast<size_t>(std::find(whole.begin(), whole.end(), eos) - whole.begin());
  EXPECT_EQ(client.answers[1].tokens, std::vector<TokenId>(whole.begin(), whole.begin() + first + 1));
  EXPECT_EQ(client.answers[1].finish, FinishReason::kStop);
  EXPECT_EQ(client.answers[2].tokens, whole);
  EXPECT_EQ(client.answers[3].tokens.size(), 8U);
  const auto last = client.answers[3].tokens.end() - 1;
  EXPECT_EQ(std::find(client.answers[3].tokens.begin(), last, eos), last) << "masked before min_tokens";
}

INSTANTIATE_TEST_SUITE_P(
    Models, EngineExactness,
    testing::Values(ExactnessCase{"qwen3", "auto", "auto"}, ExactnessCase{"qwen3", "float32", "auto"},
                    ExactnessCase{"qwen2-window", "float16", "auto"}, ExactnessCase{"llama-dynamic", "auto", "auto"},
                    ExactnessCase{"mistral-head-dim", "auto", "auto"}, ExactnessCase{"qwen3", "auto", "fp8"},
                    ExactnessCase{"qwen2-window", "float16", "fp8_e4m3"},
                    ExactnessCase{"qwen3-moe", "float32", "auto"}));

// The demo's own greedy answer, given to an engine with keys and values in e4m3: it would say nearly every word of it.
TEST(Engine, KeysAndValuesInE4m3KeepTheAnswerOfTheDemo) {
  EngineOptions options = options_for("qwen3");
  options.model_dir = SERAPH_SOURCE_DIR "/config/demo";
  options.max_model_len = 512;
  Request request;
  request.id = 1;
  // "<|im_start|>user\nWhat does --kv-cache-dtype do?<|im_end|>\n<|im_start|>assistant\n"
  request.prompt_ids = {4092, 293, 198, 567, 1218, 540, 1752, 1850, 1851, 613, 30, 4093, 198, 4092, 303, 198};
  const auto prompt_tokens = static_cast<int32_t>(request.prompt_ids.size());
  request.sampling.temperature = 0.0F;
  request.sampling.tokens_max = 120;
  request.sampling.ignore_eos = true;
  EngineClient plain(options);
  plain.submit(request);
  plain.wait_for_all();
  const int64_t plain_block_bytes = plain.engine->info().kv_bytes / plain.engine->info().num_kv_blocks;

  options.kv_cache_dtype = "fp8";
  EngineClient quantised(options);
  EXPECT_EQ(quantised.engine->info().kv_cache_dtype, "fp8_e4m3");
  EXPECT_LT(quantised.engine->info().kv_bytes / quantised.engine->info().num_kv_blocks, 0.6 * plain_block_bytes);
  const std::vector<TokenId>& answer = plain.answers[1].tokens;
  request.prompt_ids.edit().insert(request.prompt_ids.edit().end(), answer.begin(), answer.end());
  request.sampling.tokens_max = 1;
  request.sampling.num_prompt_logprobs = 0;
  quantised.submit(request);
  quantised.wait_for_all();
  int32_t same = 0;
  for (size_t i = static_cast<size_t>(prompt_tokens); i < request.prompt_ids.size(); ++i) {
    same += quantised.answers[1].prompt_logprobs.at(i).at(0).rank == 1 ? 1 : 0;
  }
  EXPECT_GE(same, 114) << "of " << answer.size();
}

TEST(Engine, ReportsWhatItLoaded) {
  const EngineClient client(options_for("qwen3"));
  const EngineInfo& info = client.engine->info();
  EXPECT_EQ(info.model_type, "qwen3");
  EXPECT_EQ(info.vocab_size, 512);
  EXPECT_EQ(info.max_model_len, 96);
  EXPECT_EQ(info.num_kv_blocks, 64 * 6);
  EXPECT_GT(info.num_parameters, 10000);
  EXPECT_GT(info.weight_bytes, 10000);
  EXPECT_NE(info.device.find("cpu"), std::string::npos);
  EXPECT_TRUE(client.engine->healthy(now_us()));
}

TEST(Engine, RefusesWithTheOptionThatHelps) {
  EngineOptions options = options_for("qwen3");
  options.max_model_len = 1'000'000'000;
  Result<std::unique_ptr<Engine>> made = Engine::make(options, [] {});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().param, "max_model_len");
  options = options_for("qwen3");
  options.num_kv_blocks_override = 3;
  made = Engine::make(options, [] {});
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().remedy.find("--max-model-len to 48"), std::string::npos) << made.error().text();
  options = options_for("no-such-model");
  EXPECT_FALSE(Engine::make(options, [] {}).ok());
  options = options_for("qwen3");
  options.block_tokens = 12;
  EXPECT_FALSE(Engine::make(options, [] {}).ok());
}

TEST(Engine, TheAdmissionLimitAnswersResourceExhausted) {
  EngineOptions options = options_for("qwen3");
  options.queued_requests_max = 2;
  EngineClient client(options);
  Request request;
  request.prompt_ids = {5, 6, 7};
  request.sampling.ignore_eos = true;
  request.sampling.tokens_max = 90;
  request.id = 1;
  client.submit(request);
  request.id = 2;
  client.submit(request);
  request.id = 3;
  const Status third = client.engine->submit(std::make_unique<Request>(request));
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(third.error().code, ErrorCode::kResourceExhausted);
  client.wait_for_all();
  client.submit(request);
  client.wait_for_all();
  EXPECT_EQ(client.answers[3].tokens.size(), 90U);
}

TEST(Engine, DummyWeightsNeedNoFilesAndRepeatWithTheirSeed) {
  EngineOptions options = options_for("qwen3");
  options.load_format = LoadFormat::kDummy;
  Request request;
  request.id = 1;
  request.prompt_ids = {5, 6, 7};
  request.sampling.tokens_max = 20;
  std::vector<std::vector<TokenId>> texts;
  for (const uint64_t seed : {1, 1, 2}) {
    options.seed = seed;
    EngineClient client(options);
    client.submit(request);
    client.wait_for_all();
    texts.push_back(client.answers[1].tokens);
  }
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_NE(texts[0], texts[2]);
}

TEST(Engine, EndsWithRequestsOpen) {
  EngineClient client(options_for("qwen3"));
  Request request;
  request.prompt_ids = {5, 6, 7};
  request.sampling.tokens_max = 90;
  for (request.id = 1; request.id <= 20; ++request.id) client.submit(request);
  client.engine.reset();
}

}  // namespace
}  // namespace seraph
