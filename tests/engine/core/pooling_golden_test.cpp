// The vectors of golden/embeddings through the whole engine: every checkpoint, every text, pooled by the last token
// and by the mean, classifiers and the reranker's judgement. Prompts run together and in small chunks.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "engine/base/json.h"
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

std::vector<TokenId> ids_of(const Json& list) {
  std::vector<TokenId> ids;
  for (const Json& id : list.as_array()) ids.push_back(static_cast<TokenId>(id.as_int()));
  return ids;
}

std::vector<float> numbers_of(const Json& list) {
  std::vector<float> out;
  for (const Json& number : list.as_array()) out.push_back(static_cast<float>(number.as_double()));
  return out;
}

class TruthTensors {
 public:
  explicit TruthTensors(const fs::path& path) : file_(MappedFile::open(path.string()).value()) {
    entries_ = parse_safetensors_header(file_->bytes(), static_cast<int64_t>(file_->bytes().size())).value();
  }
  std::vector<float> get(const std::string& name) const {
    for (const SafetensorsEntry& entry : entries_) {
      if (entry.name != name) continue;
      std::vector<float> out(static_cast<size_t>(entry.end - entry.begin) / sizeof(float));
      std::memcpy(out.data(), file_->bytes().data() + entry.begin, out.size() * sizeof(float));
      return out;
    }
    ADD_FAILURE() << "no tensor " << name;
    return {};
  }

 private:
  std::unique_ptr<MappedFile> file_;
  std::vector<SafetensorsEntry> entries_;
};

struct Case {
  std::vector<TokenId> ids;
  std::vector<float> expected;
};

Json parse(const char* text) { return Json::parse(text).value(); }

/// Runs all cases at once and returns how many were compared.
size_t check_cases(const fs::path& model, const EngineOptions& given, Pooling pooling, const std::vector<Case>& cases) {
  EngineOptions options = given;
  options.model_dir = model.string();
  options.dtype = "float32";
  options.runner = "pooling";
  options.max_num_seqs = 3;
  options.max_num_batched_tokens = 11;
  options.threads = 2;
  options.pin_threads = false;
  EngineClient client(options);
  for (size_t i = 0; i < cases.size(); ++i) {
    Request request;
    request.id = i + 1;
    request.prompt_ids = cases[i].ids;
    request.pooling = pooling;
    client.submit(request);
  }
  client.wait_for_all();
  for (size_t i = 0; i < cases.size(); ++i) {
    const std::vector<float>& got = client.answers[i + 1].pooled;
    const std::vector<float>& want = cases[i].expected;
    EXPECT_EQ(got.size(), want.size()) << model.filename() << ", case " << i;
    for (size_t k = 0; k < std::min(got.size(), want.size()); ++k) {
      EXPECT_NEAR(got[k], want[k], 1e-5F + 1e-5F * std::abs(want[k]))
          << model.filename() << ", case " << i << ", " << k;
    }
  }
  return cases.size();
}

class PoolingGolden : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(golden_dir() / "models")) GTEST_SKIP() << "no golden folder at " << golden_dir();
  }
  static Json truth(const std::string& model) {
    return Json::parse_file((golden_dir() / "truth" / (model + ".json")).string()).value();
  }
};

TEST_F(PoolingGolden, HiddenStatesOfEveryEmbeddingModelMatch) {
  size_t count = 0;
  for (const std::string model : {"qwen2_st_last", "llama_plain", "llama_st_mean"}) {
    const TruthTensors tensors(golden_dir() / "truth" / (model + ".safetensors"));
    for (const bool mean : {false, true}) {
      std::vector<Case> cases;
      const Json texts = truth(model);
      for (const Json& text : texts.find("texts")->as_array()) {
        const std::string name = std::to_string(text.find("i")->as_int()) + (mean ? ".mean" : ".last");
        cases.push_back({ids_of(*text.find("ids")), tensors.get(name)});
      }
      EngineOptions options;
      options.pooler = parse(mean ? R"({"pooling_type": "MEAN"})" : R"({"pooling_type": "LAST"})");
      count += check_cases(golden_dir() / "models" / model, options, mean ? Pooling::kMean : Pooling::kLast, cases);
    }
  }
  std::printf("%zu vectors compared\n", count);
  EXPECT_GE(count, 60U);
}

TEST_F(PoolingGolden, LogitsOfEveryClassifierMatch) {
  size_t count = 0;
  for (const std::string model : {"qwen2_cls1", "llama_cls3"}) {
    std::vector<Case> cases;
    const Json all = truth(model);
    const auto add = [&](const Json& record) {
      std::vector<TokenId> ids = ids_of(*record.find("ids"));
      ids.resize(static_cast<size_t>(record.find("pooled_position")->as_int()) + 1);
      cases.push_back({std::move(ids), numbers_of(*record.find("logits"))});
    };
    for (const Json& record : all.find("classify")->as_array()) add(record);
    for (const Json& query : all.find("pairs")->as_array()) {
      for (const Json& record : query.find("documents")->as_array()) add(record);
    }
    count += check_cases(golden_dir() / "models" / model, {}, Pooling::kLast, cases);
  }
  std::printf("%zu classifications compared\n", count);
  EXPECT_GE(count, 30U);
}

TEST_F(PoolingGolden, TheRerankersJudgementMatches) {
  const Json all = truth("qwen3_reranker");
  std::vector<Case> cases;
  for (const Json& query : all.find("queries")->as_array()) {
    for (const Json& record : query.find("documents")->as_array()) {
      const double difference = record.find("logit_yes")->as_double() - record.find("logit_no")->as_double();
      cases.push_back({ids_of(*record.find("ids")), {static_cast<float>(difference)}});
    }
  }
  EngineOptions options;
  options.config_overrides = *all.find("vllm_hf_overrides");
  const size_t count = check_cases(golden_dir() / "models/qwen3_reranker", options, Pooling::kLast, cases);
  std::printf("%zu judgements compared\n", count);
  EXPECT_GE(count, 7U);
}

}  // namespace
}  // namespace seraph
