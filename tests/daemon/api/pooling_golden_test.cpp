// golden/embeddings from request bodies to answers: what /v1/embeddings, /classify, /score and /rerank say of every
// recorded text, dimension and pair.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "daemon/api/pooling.h"
#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/safetensors.h"
#include "tests/engine/core/engine_client.h"

namespace seraph {
namespace {

namespace fs = std::filesystem;

fs::path golden_dir() {
  const char* dir = std::getenv("SERAPH_GOLDEN_DIR");
  const fs::path root = dir != nullptr ? fs::path(dir) : fs::path(SERAPH_SOURCE_DIR) / "../shared/golden";
  return root / "embeddings";
}

Json truth_of(const std::string& model) {
  return Json::parse_file((golden_dir() / "truth" / (model + ".json")).string()).value();
}

std::vector<float> numbers_of(const Json& list) {
  std::vector<float> out;
  for (const Json& number : list.as_array()) out.push_back(static_cast<float>(number.as_double()));
  return out;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& want, const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1.5e-5F) << what << ", " << i;
}

/// A server's worth of one model, without HTTP.
class PoolingServer {
 public:
  explicit PoolingServer(const std::string& model, const Json& overrides = {})
      : dir_(golden_dir() / "models" / model), client_(engine_options(overrides)) {
    tokenizer_ = Tokenizer::load(dir_.string()).value();
    info_ = client_.engine->info();
    context_ = PrepareContext::make(*tokenizer_, info_, options_).value();
  }

  Json post(Endpoint endpoint, const Json& body) {
    PreparedPooling prepared{.endpoint = endpoint};
    const auto refused = prepare_pooling(body.dump(), *context_, prepared);
    if (refused) return Json::parse(error_json(*refused)).value();
    const RequestId first = next_;
    for (const std::vector<TokenId>& ids : prepared.prompts) {
      Request request;
      request.id = next_++;
      request.prompt_ids = ids;
      request.pooling = info_.pooling.pooling;
      client_.submit(request);
    }
    client_.wait_for_all();
    std::vector<std::vector<float>> vectors;
    for (RequestId id = first; id < next_; ++id) {
      EXPECT_EQ(client_.answers[id].error, "");
      EXPECT_EQ(client_.answers[id].num_finishes, 1);
      vectors.push_back(client_.answers[id].pooled);
    }
    PoolingAnswer answer;
    EXPECT_FALSE(answer_pooling(prepared, info_.pooling, {.id = "x", .model = "m"}, std::move(vectors), answer));
    return Json::parse(answer.body).value();
  }
  std::vector<float> embedding(const Json& body) {
    const Json answer = post(kEmbeddings, body);
    const Json* data = answer.find("data");
    if (data == nullptr) {
      ADD_FAILURE() << answer.dump();
      return {};
    }
    return numbers_of(*data->as_array()[0].find("embedding"));
  }

 private:
  EngineOptions engine_options(const Json& overrides) const {
    EngineOptions options;
    options.model_dir = dir_.string();
    options.dtype = "float32";
    options.runner = "pooling";
    options.config_overrides = overrides;
    options.max_num_seqs = 4;
    options.max_num_batched_tokens = 13;
    options.threads = 2;
    options.pin_threads = false;
    return options;
  }

  const fs::path dir_;
  EngineClient client_;
  ApiOptions options_;
  EngineInfo info_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<PrepareContext> context_;
  RequestId next_ = 1;
};

Json object(std::initializer_list<Json::Member> members) { return Json(Json::Object(members)); }

class PoolingApiGolden : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(golden_dir() / "models")) GTEST_SKIP() << "no golden folder at " << golden_dir();
  }
};

std::vector<float> tensor(const fs::path& path, const std::string& name) {
  const auto file = MappedFile::open(path.string()).value();
  const auto bytes = file->bytes();
  const auto entries = parse_safetensors_header(bytes, static_cast<int64_t>(bytes.size())).value();
  for (const SafetensorsEntry& entry : entries) {
    if (entry.name != name) continue;
    std::vector<float> out(static_cast<size_t>(entry.end - entry.begin) / sizeof(float));
    std::memcpy(out.data(), bytes.data() + entry.begin, out.size() * sizeof(float));
    return out;
  }
  ADD_FAILURE() << "no tensor " << name;
  return {};
}

TEST_F(PoolingApiGolden, EveryEmbeddingDimensionAndCosineIsTheRecordedOne) {
  size_t count = 0;
  for (const std::string model : {"qwen2_st_last", "llama_plain", "llama_st_mean", "qwen2_st_dense"}) {
    PoolingServer server(model);
    const Json truth = truth_of(model);
    const fs::path tensors = golden_dir() / "truth" / (model + ".safetensors");
    const Json::Array& texts = truth.find("texts")->as_array();
    Json::Array all;
    for (const Json& record : texts) {
      const std::string at = std::to_string(record.find("i")->as_int());
      const Json text = *record.find("text");
      all.push_back(text);
      expect_near(server.embedding(object({{"input", text}})), tensor(tensors, at + ".served"), model + ' ' + at);
      ++count;
      const Json* dimensions = truth.find("dimensions_allowed");
      if (dimensions == nullptr || dimensions->is_null()) continue;
      for (const Json& size : dimensions->as_array()) {
        const std::string name = at + ".served.dim" + std::to_string(size.as_int());
        if (size.as_int() == 64) continue;  // all of them: the served vector
        expect_near(server.embedding(object({{"input", text}, {"dimensions", size}})), tensor(tensors, name), name);
        ++count;
      }
    }
    for (size_t i = 0; i < all.size(); ++i) {
      const Json scores = server.post(kScore, object({{"queries", all[i]}, {"documents", Json(all)}}));
      std::vector<float> got;
      for (const Json& score : scores.find("data")->as_array()) {
        got.push_back(static_cast<float>(score.find("score")->as_double()));
      }
      expect_near(got, numbers_of(truth.find("cosine")->as_array()[i]), model + " scores of " + std::to_string(i));
      count += got.size();
    }
  }
  std::printf("%zu embeddings and scores compared\n", count);
  EXPECT_GE(count, 440U);
}

TEST_F(PoolingApiGolden, EveryClassAndRankingIsTheRecordedOne) {
  size_t count = 0;
  for (const std::string model : {"qwen2_cls1", "llama_cls3"}) {
    PoolingServer server(model);
    const Json truth = truth_of(model);
    for (const Json& record : truth.find("classify")->as_array()) {
      const Json body = object({{"input", *record.find("text")}});
      const Json answer = server.post(kClassify, body);
      const Json& got = answer.find("data")->as_array()[0];
      expect_near(numbers_of(*got.find("probs")), numbers_of(*record.find("activated")), model);
      ++count;
    }
    for (const Json& query : truth.find("pairs")->as_array()) {
      Json::Array documents;
      std::vector<float> want;
      size_t tokens = 0;
      for (const Json& record : query.find("documents")->as_array()) {
        documents.push_back(*record.find("document"));
        want.push_back(static_cast<float>(record.find("activated")->as_array()[0].as_double()));
        tokens += record.find("ids")->as_array().size();
      }
      const Json body = object({{"queries", *query.find("query")}, {"documents", Json(documents)}});
      const Json answer = server.post(kScore, body);
      EXPECT_EQ(answer.find("usage")->find("prompt_tokens")->as_int(), static_cast<int64_t>(tokens));
      std::vector<float> got;
      for (const Json& score : answer.find("data")->as_array()) {
        got.push_back(static_cast<float>(score.find("score")->as_double()));
      }
      expect_near(got, want, model);
      count += got.size();
      const Json* order = query.find("rerank_order");
      if (order == nullptr) continue;
      const Json ranking =
          server.post(kRerank, object({{"query", *query.find("query")}, {"documents", Json(documents)}}));
      for (size_t i = 0; i < documents.size(); ++i) {
        EXPECT_EQ(ranking.find("results")->as_array()[i].find("index")->as_int(), order->as_array()[i].as_int());
      }
    }
  }
  std::printf("%zu classifications and pairs compared\n", count);
  EXPECT_GE(count, 30U);
}

TEST_F(PoolingApiGolden, TheRerankerJudgesAsRecorded) {
  const Json truth = truth_of("qwen3_reranker");
  PoolingServer server("qwen3_reranker", *truth.find("vllm_hf_overrides"));
  const std::string prefix = truth.find("prefix")->as_string();
  const std::string suffix = truth.find("suffix")->as_string();
  const std::string instruct = truth.find("instruct")->as_string();
  size_t count = 0;
  for (const Json& query : truth.find("queries")->as_array()) {
    const std::string text =
        prefix + "<Instruct>: " + instruct + "\n<Query>: " + query.find("query")->as_string() + '\n';
    Json::Array documents;
    std::vector<float> want;
    for (const Json& record : query.find("documents")->as_array()) {
      documents.push_back(Json("<Document>: " + record.find("document")->as_string() + suffix));
      want.push_back(static_cast<float>(record.find("score")->as_double()));
    }
    const Json answer = server.post(kScore, object({{"text_1", Json(text)}, {"text_2", Json(documents)}}));
    std::vector<float> got;
    for (const Json& score : answer.find("data")->as_array()) {
      got.push_back(static_cast<float>(score.find("score")->as_double()));
    }
    expect_near(got, want, query.find("query")->as_string());
    count += got.size();
  }
  std::printf("%zu judgements compared\n", count);
  EXPECT_GE(count, 7U);
}

}  // namespace
}  // namespace seraph
