// The recorded adapters on their bases: PEFT's greedy tokens, all adapters of a base in the same steps.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "engine/base/json.h"
#include "tests/engine/core/engine_client.h"

namespace seraph {
namespace {

namespace fs = std::filesystem;

constexpr double kGapMin = 2e-3;  // of the best two logits, below which the order may differ

fs::path golden_dir() {
  const char* dir = std::getenv("SERAPH_GOLDEN_DIR");
  return (dir != nullptr ? fs::path(dir) : fs::path(SERAPH_SOURCE_DIR) / "../shared/golden") / "lora";
}

EngineOptions options_for(const std::string& base) {
  EngineOptions options;
  options.model_dir = (golden_dir() / "bases" / base).string();
  options.device = "cpu";
  options.dtype = "float32";
  options.max_model_len = 256;
  options.max_num_seqs = 8;
  options.max_num_batched_tokens = 40;
  options.threads = 2;
  options.pin_threads = false;
  options.max_loras = 3;
  options.max_lora_rank = 64;
  return options;
}

/// The tokens are the recorded ones up to the first near tie.
void expect_greedy(const std::vector<TokenId>& got, const Json& want, const Json& gaps, const std::string& what) {
  ASSERT_EQ(got.size(), want.as_array().size()) << what;
  for (size_t i = 0; i < got.size(); ++i) {
    if (gaps.as_array()[i].as_double() < kGapMin) return;
    ASSERT_EQ(got[i], want.as_array()[i].as_int()) << what << ", token " << i;
  }
}

/// The adapters of one base, in one engine at once.
class BaseRun {
 public:
  BaseRun(const Json& truth, const std::string& base)
      : prompts_(truth.find("prompts")->as_array()), client_(options_for(base)) {
    for (const Json& item : truth.find("cases")->as_array()) by_name_[item.find("name")->as_string()] = &item;
  }

  /// False when an adapter of an optional kind was refused.
  bool submit(const Json& item) {
    std::shared_ptr<const Adapter> adapter;
    if (item.find("dir")->is_string()) {
      auto loaded = client_.engine->load_adapter((golden_dir() / item.find("dir")->as_string()).string());
      if (!loaded.ok()) {
        EXPECT_EQ(item.find("serve")->as_string(), "may")
            << item.find("name")->as_string() << ": " << loaded.error().text();
        return false;
      }
      adapter = std::move(*loaded);
    }
    const Json* same = item.find("same_as");
    const Json* record = same != nullptr ? by_name_.at(same->as_string()) : &item;
    for (size_t i = 0; i < prompts_.size(); ++i) {
      Request request;
      request.id = asked_.size() + 1;
      for (const Json& token : prompts_[i].as_array()) {
        request.prompt_ids.edit().push_back(static_cast<TokenId>(token.as_int()));
      }
      request.adapter = adapter;
      request.sampling.temperature = 0.0F;
      request.sampling.ignore_eos = true;
      request.sampling.tokens_max = static_cast<int32_t>(record->find("greedy")->as_array()[i].as_array().size());
      asked_[request.id] = {record, i};
      client_.submit(request);
    }
    return true;
  }

  void compare() {
    client_.wait_for_all();
    for (const auto& [request, asked] : asked_) {
      const auto& [record, prompt] = asked;
      expect_greedy(client_.answers[request].tokens, record->find("greedy")->as_array()[prompt],
                    record->find("gap")->as_array()[prompt], record->find("name")->as_string());
    }
  }

 private:
  const Json::Array& prompts_;
  EngineClient client_;
  std::map<std::string, const Json*> by_name_;
  std::map<RequestId, std::pair<const Json*, size_t>> asked_;  // the record and the prompt
};

class AdaptersGolden : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(golden_dir() / "cases.json")) GTEST_SKIP() << golden_dir() << " is absent";
  }
};

TEST_F(AdaptersGolden, GreedyTextIsPefts) {
  const Json truth = Json::parse_file((golden_dir() / "cases.json").string()).value();
  std::map<std::string, std::vector<const Json*>> by_base;
  for (const Json& item : truth.find("cases")->as_array()) by_base[item.find("base")->as_string()].push_back(&item);
  int num_compared = 0;
  int num_refused = 0;
  int num_without_base = 0;
  for (const auto& [base, cases] : by_base) {
    if (!Engine::make(options_for(base), [] {}).ok()) {
      num_without_base += static_cast<int>(cases.size());
      continue;
    }
    BaseRun run(truth, base);
    for (const Json* item : cases) ++(run.submit(*item) ? num_compared : num_refused);
    run.compare();
  }
  std::printf("%d adapters compared, %d of optional kinds refused, %d on bases that do not exist here\n", num_compared,
              num_refused, num_without_base);
  EXPECT_GT(num_compared, 0);
}

TEST_F(AdaptersGolden, BrokenAdaptersAreRefused) {
  const Json broken = Json::parse_file((golden_dir() / "broken.json").string()).value();
  int num_refused = 0;
  EngineClient client(options_for("qwen2"));
  for (const Json& item : broken.find("cases")->as_array()) {
    ASSERT_EQ(item.find("base")->as_string(), "qwen2");
    const auto loaded = client.engine->load_adapter((golden_dir() / item.find("dir")->as_string()).string());
    EXPECT_EQ(loaded.ok(), item.find("expect")->as_string() == "load") << item.find("name")->as_string();
    num_refused += loaded.ok() ? 0 : 1;
  }
  std::printf("%d broken adapters refused\n", num_refused);
  EXPECT_GT(num_refused, 0);
}

}  // namespace
}  // namespace seraph
