// Adapters through the whole engine: rows with different adapters share steps, and nobody's text depends on it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "engine/base/json.h"
#include "tests/engine/checkpoint/peft_writer.h"
#include "tests/engine/core/engine_client.h"

namespace seraph {
namespace {

namespace fs = std::filesystem;

struct Case {
  const char* model;
  const char* dtype;
};

class EngineAdapters : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() / ("seraph_engine_adapters_" + std::string(GetParam().model) + GetParam().dtype);
    fs::remove_all(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  static std::string model_dir() { return std::string(SERAPH_TEST_DATA) + "/golden/models/" + GetParam().model; }

  EngineOptions options() const {
    EngineOptions out;
    out.model_dir = model_dir();
    out.device = "cpu";
    out.dtype = GetParam().dtype;
    out.max_model_len = 96;
    out.threads = 1;
    out.pin_threads = false;
    out.max_loras = 2;
    out.max_lora_rank = 8;
    return out;
  }

  static bool has_experts(const Json& config) { return config.find("num_experts") != nullptr; }
  /// The MLP of a layer, or every second expert's.
  static std::vector<std::string> mlps_of(const Json& config, const std::string& layer) {
    std::vector<std::string> out;
    if (!has_experts(config)) return {layer + ".mlp"};
    for (int64_t e = 0; e < config.find("num_experts")->as_int(); e += 2) {
      out.push_back(layer + ".mlp.experts." + std::to_string(e));
    }
    return out;
  }

  /// An adapter of some modules of every layer, different for every seed.
  std::string write_adapter(const std::string& name, uint32_t seed) const {
    const Json config = Json::parse_file(model_dir() + "/config.json").value();
    const auto number = [&config](const char* key) { return config.find(key)->as_int(); };
    const int64_t hidden = number("hidden_size");
    const int64_t inner = number(has_experts(config) ? "moe_intermediate_size" : "intermediate_size");
    const int64_t heads = number("num_attention_heads");
    const Json* own_dim = config.find("head_dim");
    const int64_t head_dim = own_dim != nullptr && own_dim->is_int() ? own_dim->as_int() : hidden / heads;
    const int64_t kv_rows = number("num_key_value_heads") * head_dim;
    const int64_t rank = 1 + seed % 8;
    std::vector<PeftTensor> tensors;
    for (int64_t i = 0; i < number("num_hidden_layers"); ++i) {
      const std::string at = "model.layers." + std::to_string(i);
      const uint32_t own = seed * 100 + static_cast<uint32_t>(i) * 10;
      if (seed % 3 != 0) add_lora(tensors, at + ".self_attn.q_proj", rank, hidden, heads * head_dim, own);
      add_lora(tensors, at + ".self_attn.v_proj", rank, hidden, kv_rows, own + 1);
      if (seed % 2 == 0) add_lora(tensors, at + ".self_attn.o_proj", rank, heads * head_dim, hidden, own + 2);
      const std::vector<std::string> mlps = mlps_of(config, at);
      for (size_t e = 0; e < mlps.size(); ++e) {
        const uint32_t of_mlp = own + 3 + 1000 * static_cast<uint32_t>(e);
        if (seed % 2 == 1) add_lora(tensors, mlps[e] + ".up_proj", rank, hidden, inner, of_mlp);
        if (seed % 3 == 0) add_lora(tensors, mlps[e] + ".down_proj", rank, inner, hidden, of_mlp + 1);
      }
    }
    write_peft_folder(dir_ / name, R"({"peft_type": "LORA", "lora_alpha": 2, "r": )" + std::to_string(rank) + '}',
                      tensors);
    return (dir_ / name).string();
  }

  fs::path dir_;
};

Request random_request(std::mt19937_64& random, RequestId id) {
  const auto pick = [&random](int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, high)(random);
  };
  Request request;
  request.id = id;
  const int32_t text = pick(0, 1);
  for (int32_t i = 0, n = pick(1, 60); i < n; ++i)
    request.prompt_ids.edit().push_back(5 + (text * 131 + i * i * 7) % 500);
  request.sampling.temperature = pick(0, 1) == 0 ? 0.0F : 0.8F;
  request.sampling.seed = random();
  request.sampling.tokens_max = pick(1, 25);
  request.sampling.ignore_eos = true;
  request.sampling.num_logprobs = 2;
  if (pick(0, 3) == 0) request.sampling.num_prompt_logprobs = 1;
  return request;
}

/// Each request's adapter: 0 none, else 1 + its index.
struct Mix {
  std::vector<Request> requests;
  std::vector<size_t> adapters;
};

void give_adapters(EngineClient& client, const std::vector<std::string>& folders, Mix& mix) {
  std::vector<std::shared_ptr<const Adapter>> loaded = {nullptr};
  for (const std::string& folder : folders) {
    auto adapter = client.engine->load_adapter(folder);
    ASSERT_TRUE(adapter.ok()) << adapter.error().text();
    loaded.push_back(std::move(*adapter));
  }
  for (size_t i = 0; i < mix.requests.size(); ++i) mix.requests[i].adapter = loaded[mix.adapters[i]];
}

TEST_P(EngineAdapters, MixedAdaptersRepeatWhatEachRequestGivesAlone) {
  std::mt19937_64 random(23);
  std::vector<std::string> folders;
  for (uint32_t seed = 1; seed <= 4; ++seed) folders.push_back(write_adapter("a" + std::to_string(seed), seed));
  Mix mix;
  for (RequestId id = 1; id <= 32; ++id) {
    mix.requests.push_back(random_request(random, id));
    mix.adapters.push_back(random() % (folders.size() + 1));
  }

  EngineOptions alone_options = options();
  alone_options.enable_prefix_caching = false;
  EngineClient alone(alone_options);
  give_adapters(alone, folders, mix);
  for (const Request& request : mix.requests) {
    alone.submit(request);
    alone.wait_for_all();
  }
  int64_t preemptions = 0;
  int64_t hits = 0;
  for (int round = 0; round < 3; ++round) {
    EngineOptions mixed_options = options();
    mixed_options.max_loras = 1 + round * 2;
    mixed_options.max_num_seqs = 4 + round * 3;
    mixed_options.max_num_batched_tokens = 30 + round * 40;
    mixed_options.num_kv_blocks_override = 8 + round;
    mixed_options.threads = 1 + round % 2;
    EngineClient mixed(mixed_options);
    give_adapters(mixed, folders, mix);
    for (const Request& request : mix.requests) {
      mixed.submit(request);
      if (random() % 4 == 0) mixed.wait();
    }
    mixed.wait_for_all();
    for (const Request& request : mix.requests) {
      const Answer& got = mixed.answers[request.id];
      const Answer& want = alone.answers[request.id];
      EXPECT_EQ(got.tokens, want.tokens) << "request " << request.id;
      EXPECT_TRUE(got.logprobs == want.logprobs) << "request " << request.id;
      EXPECT_TRUE(got.prompt_logprobs == want.prompt_logprobs) << "request " << request.id;
    }
    preemptions += mixed.engine->stats().num_preemptions;
    hits += mixed.engine->stats().prefix_hits_tokens;
  }
  EXPECT_GT(preemptions, 0);
  EXPECT_GT(hits, 0);
}

TEST_P(EngineAdapters, EachAdapterChangesTheAnswerAndTheModelStaysWhatItWas) {
  std::mt19937_64 random(5);
  EngineOptions plain_options = options();
  plain_options.max_loras = 0;
  EngineClient plain(plain_options);
  EngineClient client(options());
  Request request = random_request(random, 1);
  request.prompt_ids.edit().resize(20, 9);
  request.sampling.temperature = 0.0F;
  plain.submit(request);
  plain.wait_for_all();
  client.submit(request);
  client.wait_for_all();
  EXPECT_TRUE(client.answers[1].logprobs == plain.answers[1].logprobs);
  for (uint32_t seed = 1; seed <= 3; ++seed) {
    auto adapter = client.engine->load_adapter(write_adapter("a" + std::to_string(seed), seed));
    ASSERT_TRUE(adapter.ok()) << adapter.error().text();
    request.id = 1 + seed;
    request.adapter = *adapter;
    client.submit(request);
    client.wait_for_all();
    for (RequestId before = 1; before < request.id; ++before) {
      EXPECT_FALSE(client.answers[request.id].logprobs == client.answers[before].logprobs) << seed;
    }
  }
}

TEST_P(EngineAdapters, ANewVersionUnderTheSameFolderServesLaterRequestsOnly) {
  std::mt19937_64 random(5);
  EngineClient client(options());
  const std::string folder = write_adapter("a", 1);
  const auto first = client.engine->load_adapter(folder);
  ASSERT_TRUE(first.ok()) << first.error().text();
  EXPECT_EQ((*client.engine->load_adapter(folder, first->get()))->id, (*first)->id);
  write_adapter("a", 2);
  const auto second = client.engine->load_adapter(folder, first->get());
  ASSERT_TRUE(second.ok()) << second.error().text();
  EXPECT_NE((*second)->id, (*first)->id);

  Request request = random_request(random, 1);
  request.prompt_ids.edit().resize(20, 9);
  for (const auto& [id, adapter] : {std::pair{1, *first}, std::pair{2, *second}, std::pair{3, *first}}) {
    request.id = static_cast<RequestId>(id);
    request.adapter = adapter;
    client.submit(request);
    client.wait_for_all();
  }
  EXPECT_TRUE(client.answers[1].logprobs == client.answers[3].logprobs);
  EXPECT_FALSE(client.answers[1].logprobs == client.answers[2].logprobs);
}

TEST_P(EngineAdapters, AnAdaptersMemoryGoesWithItsLastHolder) {
  EngineClient client(options());
  auto adapter = client.engine->load_adapter(write_adapter("a", 1));
  ASSERT_TRUE(adapter.ok()) << adapter.error().text();
  const std::weak_ptr<const Adapter> watched = *adapter;
  std::mt19937_64 random(5);
  Request request = random_request(random, 1);
  request.adapter = std::move(*adapter);
  client.submit(request);
  request.adapter.reset();
  client.wait_for_all();
  client.engine.reset();
  EXPECT_TRUE(watched.expired());
}

TEST_P(EngineAdapters, RefusedFoldersSayWhy) {
  EngineClient client(options());
  const auto absent = client.engine->load_adapter((dir_ / "absent").string());
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  std::vector<PeftTensor> tensors;
  add_lora(tensors, "model.layers.0.self_attn.q_proj", 2, 3, 5);
  write_peft_folder(dir_ / "wrong", R"({"peft_type": "LORA", "lora_alpha": 2, "r": 2})", tensors);
  const auto wrong = client.engine->load_adapter((dir_ / "wrong").string());
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.error().text().find("maps 3 inputs to 5 outputs"), std::string::npos) << wrong.error().text();
}

INSTANTIATE_TEST_SUITE_P(Models, EngineAdapters,
                         testing::Values(Case{"qwen3", "float32"}, Case{"qwen2-window", "bfloat16"},
                                         Case{"qwen3", "float16"}, Case{"qwen3-moe", "bfloat16"}));

}  // namespace
}  // namespace seraph
