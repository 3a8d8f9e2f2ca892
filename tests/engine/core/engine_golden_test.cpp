// Greedy text of the recorded checkpoints through the whole engine, all prompts of a checkpoint at once, in chunks.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "engine/base/json.h"
#include "tests/engine/core/engine_client.h"

namespace seraph {
namespace {

namespace fs = std::filesystem;

fs::path golden_dir() {
  const char* dir = std::getenv("SERAPH_GOLDEN_DIR");
  return dir != nullptr ? fs::path(dir) : fs::path(SERAPH_SOURCE_DIR) / "../shared/golden";
}

std::vector<TokenId> ids_of(const Json& list) {
  std::vector<TokenId> ids;
  for (const Json& id : list.as_array()) ids.push_back(static_cast<TokenId>(id.as_int()));
  return ids;
}

/// True when the family is one that exists here; then its recorded continuations were compared.
bool check_model(const fs::path& dir) {
  EngineOptions options;
  options.model_dir = dir.string();
  options.dtype = "float32";
  options.max_model_len = 256;
  options.max_num_seqs = 3;
  options.max_num_batched_tokens = 29;
  options.threads = 2;
  options.pin_threads = false;
  const Result<std::unique_ptr<Engine>> probe = Engine::make(options, [] {});
  if (!probe.ok()) {
    EXPECT_EQ(probe.error().code, ErrorCode::kUnsupported) << dir << ": " << probe.error().text();
    return false;
  }
  const Result<Json> truth = Json::parse_file((dir / "truth.json").string());
  EXPECT_TRUE(truth.ok());
  const Json::Array& prompts = truth->find("prompts")->as_array();
  const Json::Array& greedy = truth->find("greedy")->as_array();
  EngineClient client(options);
  for (size_t i = 0; i < prompts.size(); ++i) {
    Request request;
    request.id = i + 1;
    request.prompt_ids = ids_of(*prompts[i].find("ids"));
    request.sampling.temperature = 0.0F;
    request.sampling.ignore_eos = true;
    request.sampling.tokens_max = static_cast<int32_t>(greedy[i].find("ids")->as_array().size());
    client.submit(request);
  }
  client.wait_for_all();
  for (size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(client.answers[i + 1].tokens, ids_of(*greedy[i].find("ids")))
        << dir.filename() << ", prompt " << prompts[i].find("name")->as_string();
  }
  return true;
}

TEST(EngineGolden, GreedyTextIsTheReferences) {
  const fs::path models = golden_dir() / "models";
  if (!fs::exists(models)) GTEST_SKIP() << models << " is absent";
  int checked = 0;
  int unsupported = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(models)) {
    if (fs::exists(entry.path() / "truth.json")) ++(check_model(entry.path()) ? checked : unsupported);
  }
  std::printf("%d checkpoints compared, %d of families that do not exist here\n", checked, unsupported);
  EXPECT_GT(checked, 0);
}

}  // namespace
}  // namespace seraph
