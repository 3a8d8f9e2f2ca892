// The whole engine on the simulated CUDA device, through its public face: the same answers as on the CPU, the same
// bits with and without recordings, no memory taken while it serves, and an end in good order when the device fails.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "kernels/cuda/runtime.h"
#include "kernels/cuda_access.h"
#include "tests/engine/core/engine_client.h"
#include "tests/kernels/cuda/device.h"

namespace seraph {
namespace {

using cuda_test::TestDevice;

EngineOptions options_for(const std::string& model, const std::string& device) {
  EngineOptions options;
  options.model_dir = std::string(SERAPH_TEST_DATA) + "/golden/models/" + model;
  options.device = device;
  options.cuda = cuda_access();
  options.dtype = "float16";
  options.max_model_len = 64;
  options.max_num_seqs = 4;
  options.max_num_batched_tokens = 48;
  options.num_kv_blocks_override = 24;
  options.threads = 1;
  options.pin_threads = false;
  return options;
}

Request request_of(RequestId id, int32_t num_prompt, int32_t num_tokens) {
  Request request;
  request.id = id;
  for (int32_t i = 0; i < num_prompt; ++i) {
    request.prompt_ids.edit().push_back(5 + static_cast<int32_t>(id * 131 + i * i * 7) % 500);
  }
  request.sampling.tokens_max = num_tokens;
  request.sampling.ignore_eos = true;
  request.sampling.temperature = 0.0F;
  return request;
}

/// Of every kind that a step can hold: greedy and drawn, with and without logprobs, penalties and bans.
std::vector<Request> mixed_requests() {
  std::vector<Request> requests;
  for (RequestId id = 1; id <= 6; ++id) requests.push_back(request_of(id, 3 + 5 * static_cast<int32_t>(id), 10));
  requests[1].sampling.temperature = 0.8F;
  requests[1].sampling.top_p = 0.9F;
  requests[2].sampling.num_logprobs = 3;
  requests[3].sampling.repetition_penalty = 1.3F;
  requests[3].sampling.tokens_min = 4;
  requests[4].sampling.num_prompt_logprobs = 2;
  requests[5].sampling.temperature = 1.0F;
  requests[5].sampling.num_logprobs = 40;
  return requests;
}

std::map<RequestId, Answer> answers_of(const EngineOptions& options, const std::vector<Request>& requests) {
  EngineClient client(options);
  for (const Request& request : requests) client.submit(request);
  client.wait_for_all();
  return std::move(client.answers);
}

/// How many tokens are the CPU's. Where one is not, the CPU's gap between its best and second best must be so small
/// that another rounding may choose otherwise; what follows such a near tie is another text and not compared.
struct Agreement {
  int64_t num_equal = 0;
  int64_t num_near_ties = 0;
};
void compare_greedy(const Answer& expected, const Answer& actual, const std::string& what, Agreement& agreement) {
  constexpr float kNearTie = 0.02F;
  ASSERT_EQ(actual.tokens.size(), expected.tokens.size()) << what << ": " << actual.error;
  for (size_t i = 0; i < expected.tokens.size(); ++i) {
    if (actual.tokens[i] != expected.tokens[i]) {
      const float gap = expected.logprobs[i][0].logprob - expected.logprobs[i][1].logprob;
      EXPECT_LT(gap, kNearTie) << what << ", token " << i;
      ++agreement.num_near_ties;
      return;
    }
    ++agreement.num_equal;
  }
}

TEST(EngineOnCuda, GreedyTokensAreTheCpus) {
  for (const char* model : {"qwen3", "llama-dynamic", "mistral-head-dim", "qwen2-window"}) {
    std::vector<Request> requests;
    for (RequestId id = 1; id <= 4; ++id) {
      requests.push_back(request_of(id, 2 + 6 * static_cast<int32_t>(id), 8));
      requests.back().sampling.num_logprobs = 2;
    }
    TestDevice device;
    Agreement agreement;
    const auto cpu = answers_of(options_for(model, "cpu"), requests);
    const auto cuda = answers_of(options_for(model, "cuda"), requests);
    for (const auto& [id, expected] : cpu) {
      compare_greedy(expected, cuda.at(id), model + (", request " + std::to_string(id)), agreement);
    }
    std::printf("%s: %lld tokens equal, then %lld near ties\n", model, static_cast<long long>(agreement.num_equal),
                static_cast<long long>(agreement.num_near_ties));
    EXPECT_EQ(device.fault(), "");
  }
}

TEST(EngineOnCuda, RecordedStepsGiveTheBitsOfEagerOnes) {
  const std::vector<Request> requests = mixed_requests();
  TestDevice device({.seed = 5});
  EngineOptions options = options_for("qwen3", "cuda");
  const auto recorded = answers_of(options, requests);
  options.enforce_eager = true;
  const auto eager = answers_of(options, requests);
  options.max_num_seqs = 1;
  const auto alone = answers_of(options, requests);
  for (const Request& request : requests) {
    const Answer& answer = recorded.at(request.id);
    ASSERT_EQ(answer.tokens.size(), 10U) << answer.error;
    for (const auto* others : {&eager, &alone}) {
      EXPECT_EQ(answer.tokens, others->at(request.id).tokens) << request.id;
      EXPECT_TRUE(answer.logprobs == others->at(request.id).logprobs) << request.id;
      EXPECT_TRUE(answer.prompt_logprobs == others->at(request.id).prompt_logprobs) << request.id;
    }
  }
  EXPECT_EQ(device.fault(), "");
}

struct TwoAnswers {
  std::map<RequestId, Answer> answers;
  EngineStats stats;
};

/// Two prompts in one step of more rows than the exact kernels take; the second grows into the last block first, and
/// gives it up when the cache has but 11.
TwoAnswers answer_two(int32_t num_kv_blocks) {
  EngineOptions options = options_for("qwen3", "cuda");
  options.max_model_len = 128;
  options.max_num_batched_tokens = 160;
  options.enable_prefix_caching = false;
  options.num_kv_blocks_override = num_kv_blocks;
  options.preemption = "swap";
  EngineClient client(options);
  client.engine->sleep(1);
  for (const auto& [id, num_prompt] : {std::pair{1, 70}, {2, 79}}) {
    Request request = request_of(static_cast<RequestId>(id), num_prompt, 14);
    request.sampling.num_logprobs = 1;
    client.submit(request);
  }
  client.engine->wake_up();
  client.wait_for_all();
  return {std::move(client.answers), client.engine->stats()};
}

/// Its prompt's keys, were they computed again alone, could have other bits.
TEST(EngineOnCuda, ASwappedRequestGivesTheBitsOfAnUndisturbedOne) {
  TestDevice device;
  const TwoAnswers swapped = answer_two(11);
  const TwoAnswers undisturbed = answer_two(24);
  EXPECT_GT(swapped.stats.num_swaps, 0);
  EXPECT_EQ(swapped.stats.num_swaps, swapped.stats.num_preemptions);
  EXPECT_EQ(swapped.stats.host_blocks_held, 0);
  EXPECT_EQ(undisturbed.stats.num_preemptions, 0);
  for (const auto& [id, expected] : undisturbed.answers) {
    const Answer& answer = swapped.answers.at(id);
    ASSERT_EQ(answer.tokens.size(), 14U) << answer.error;
    EXPECT_EQ(answer.tokens, expected.tokens) << id;
    EXPECT_TRUE(answer.logprobs == expected.logprobs) << id;
  }
  EXPECT_EQ(device.fault(), "");
}

#ifdef SERAPH_CUDA_SIM
/// A load of all kinds of requests in random order, with long prompts, preemptions and swaps.
std::vector<Request> random_load(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Request> requests;
  for (RequestId first = 0; first < 3; ++first) {
    for (Request& request : mixed_requests()) {
      request.id += first * 100;
      request.sampling.tokens_max = 4 + static_cast<int32_t>(random() % 12);
      if (random() % 4 == 0) request.prompt_ids.edit().resize(40 + random() % 60, 7);
      requests.push_back(std::move(request));
    }
  }
  std::shuffle(requests.begin(), requests.end(), random);
  return requests;
}

TEST(EngineOnCuda, TakesNoMemoryOnceItIsReadyAndGivesAllBack) {
  TestDevice device;
  {
    EngineOptions options = options_for("qwen3", "cuda");
    options.max_model_len = 128;
    options.max_num_batched_tokens = 96;
    options.num_kv_blocks_override = 9;
    EngineClient client(options);
    const int64_t before = device.heap().num_allocated();
    for (const Request& request : random_load(3)) client.submit(request);
    client.wait_for_all();
    EXPECT_EQ(device.heap().num_allocated(), before);
    EXPECT_GT(client.engine->stats().num_preemptions, 0);
  }
  EXPECT_EQ(device.fault(), "");
  EXPECT_EQ(device.num_living(), 0);
}

TEST(EngineOnCuda, ThePlanNamesEveryByteThatTheDeviceHolds) {
  sim::Device device;
  EngineOptions options = options_for("qwen3", "cuda");
  options.max_num_batched_tokens = 96;
  const EngineClient client(options);
  int64_t on_device = 0;
  int64_t pinned = 0;
  for (const MemoryPart& part : client.engine->info().memory) (part.on_host ? pinned : on_device) += part.bytes;
  EXPECT_EQ(on_device, device.heap().bytes_used());
  EXPECT_EQ(pinned, device.heap().pinned_bytes());
}

/// A model so small that a run takes a few thousand calls at most.
EngineOptions tiny_options() {
  const auto dir = std::filesystem::temp_directory_path() / "seraph_tiny_cuda_model";
  std::filesystem::create_directories(dir);
  std::ofstream(dir / "config.json")
      << R"({"architectures":["Qwen2ForCausalLM"],"hidden_size":64,"intermediate_size":32,"num_hidden_layers":1,
          "num_attention_heads":1,"num_key_value_heads":1,"head_dim":64,"vocab_size":64})";
  EngineOptions options = options_for("", "cuda");
  options.model_dir = dir;
  options.load_format = LoadFormat::kDummy;
  options.max_model_len = 16;
  options.max_num_batched_tokens = 8;
  options.num_kv_blocks_override = 2;
  return options;
}

struct FailedRun {
  bool loaded = false;
  std::string error;
  FinishReason finish = FinishReason::kNone;
  bool failed = false;
  bool reached = false;  // the call was made
};

/// One short request with the n-th runtime call failing.
FailedRun run_with_failure(const EngineOptions& options, int64_t n, int32_t code) {
  TestDevice device({.memory_bytes = int64_t{1} << 28, .count_accesses = false});
  device.fail_at_call(n, code);
  FailedRun run;
  Result<std::unique_ptr<Engine>> made = Engine::make(options, [] {});
  if (!made.ok()) {
    run.error = made.error().text();
    return run;
  }
  run.loaded = true;
  auto request = std::make_unique<Request>(request_of(1, 3, 3));
  for (TokenId& id : request->prompt_ids.edit()) id %= 64;
  EXPECT_TRUE((*made)->submit(std::move(request)).ok());
  std::vector<Event> events;
  for (int i = 0; i < 20000 && (events.empty() || events.back().finish == FinishReason::kNone); ++i) {
    (*made)->drain_events(events);
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  if (!events.empty()) run.finish = events.back().finish;
  if (!events.empty() && events.back().error) run.error = *events.back().error;
  run.failed = (*made)->stats().failed;
  run.reached = device.num_calls() >= n;
  return run;
}

/// Whichever call it is that fails: loading ends with a sentence, or the request does and the engine says it failed.
TEST(EngineOnCuda, AFailureAtAnyCallEndsInGoodOrder) {
  const EngineOptions options = tiny_options();
  for (const int32_t code : {cuda::kErrorLaunchFailure, cuda::kErrorOutOfMemory}) {
    int64_t num_refused = 0;
    int64_t num_ended = 0;
    for (int64_t n = 1;; n += code == cuda::kErrorOutOfMemory ? 3 : 1) {
      ASSERT_LT(n, 2000);
      const FailedRun run = run_with_failure(options, n, code);
      if (!run.loaded) {
        EXPECT_NE(run.error, "") << "call " << n;
        ++num_refused;
        continue;
      }
      ASSERT_NE(run.finish, FinishReason::kNone) << "call " << n;
      if (!run.reached) break;
      if (run.finish == FinishReason::kLength && code == cuda::kErrorOutOfMemory) continue;  // of a question at start
      EXPECT_EQ(run.finish, FinishReason::kError) << "call " << n;
      EXPECT_NE(run.error.find("the device failed"), std::string::npos) << "call " << n << ": " << run.error;
      EXPECT_TRUE(run.failed) << "call " << n;
      ++num_ended;
    }
    EXPECT_GT(num_refused, 10);
    EXPECT_GT(num_ended, 10);
  }
}
#endif

TEST(EngineOnCuda, RefusesWhatDoesNotFitAndNamesWhatWould) {
  TestDevice device({.memory_bytes = int64_t{1} << 28});
  EngineOptions options = options_for("qwen3", "cuda");
  options.num_kv_blocks_override = 0;
  options.kv_cache_bytes = 1 << 16;
  options.max_model_len = 4096;
  const auto small = Engine::make(options, [] {});
  ASSERT_FALSE(small.ok());
  EXPECT_NE(small.error().text().find("lower --max-model-len to"), std::string::npos) << small.error().text();
  options.max_model_len = 64;
  options.kv_cache_bytes = 0;
  options.max_num_batched_tokens = 1 << 20;
  const auto long_steps = Engine::make(options, [] {});
  ASSERT_FALSE(long_steps.ok());
  EXPECT_NE(long_steps.error().text().find("lower --max-num-batched-tokens to"), std::string::npos)
      << long_steps.error().text();
  options.max_num_batched_tokens = 48;
  options.dtype = "float32";
  const auto wide = Engine::make(options, [] {});
  ASSERT_FALSE(wide.ok());
  EXPECT_NE(wide.error().text().find("--dtype bfloat16"), std::string::npos) << wide.error().text();
}

#ifdef SERAPH_CUDA_SIM
TEST(EngineOnCuda, AutoDoesNotServeOnASimulatedDevice) {
  TestDevice device;
  const EngineClient client(options_for("qwen3", "auto"));
  EXPECT_EQ(client.engine->info().device.substr(0, 3), "cpu");
}
#endif

}  // namespace
}  // namespace seraph
