// golden/sampling/beam: every recorded search of vLLM on a table of log probabilities gives the same beams.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "daemon/api/beam_search.h"
#include "engine/base/json.h"
#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/safetensors.h"

namespace seraph {
namespace {

namespace fs = std::filesystem;

struct Table {
  size_t vocab = 0;
  std::vector<float> logprobs;  // [second last][last][next]

  PositionLogprobs best_after(const std::vector<TokenId>& tokens, int32_t count) const {
    const auto last = static_cast<size_t>(tokens[tokens.size() - 1]);
    const auto second_last = static_cast<size_t>(tokens[tokens.size() - 2]);
    const float* row = logprobs.data() + (second_last * vocab + last) * vocab;
    PositionLogprobs out;
    for (size_t id = 0; id < vocab; ++id) out.push_back({.id = static_cast<TokenId>(id), .logprob = row[id]});
    std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.logprob > b.logprob; });
    out.resize(std::min(out.size(), static_cast<size_t>(count)));
    return out;
  }
};

std::map<std::string, Table> read_tables(const fs::path& path) {
  const auto file = MappedFile::open(path.string()).value();
  const auto bytes = file->bytes();
  const auto entries = parse_safetensors_header(bytes, static_cast<int64_t>(bytes.size())).value();
  std::map<std::string, Table> out;
  for (const SafetensorsEntry& entry : entries) {
    Table& table = out[entry.name];
    table.logprobs.resize(static_cast<size_t>(entry.end - entry.begin) / sizeof(float));
    std::memcpy(table.logprobs.data(), bytes.data() + entry.begin, table.logprobs.size() * sizeof(float));
    while (table.vocab * table.vocab * table.vocab < table.logprobs.size()) ++table.vocab;
  }
  return out;
}

std::vector<TokenId> ids_of(const Json& list) {
  std::vector<TokenId> out;
  for (const Json& id : list.as_array()) out.push_back(static_cast<TokenId>(id.as_int()));
  return out;
}

std::vector<Beam> search(const Json& record, const Table& table) {
  const bool ignore_eos = record.find("ignore_eos")->as_bool();
  BeamSearch beams({.width = static_cast<int32_t>(record.find("beam_width")->as_int()),
                    .tokens_max = static_cast<int32_t>(record.find("max_tokens")->as_int()),
                    .length_penalty = record.find("length_penalty")->as_double(),
                    .end_ids = ignore_eos ? std::vector<TokenId>{} : ids_of(*record.find("eos_token_ids"))});
  const std::vector<TokenId> prompt = ids_of(*record.find("prompt"));
  while (!beams.done()) {
    std::vector<PositionLogprobs> next;
    for (const Beam& beam : beams.live()) {
      std::vector<TokenId> tokens = prompt;
      tokens.insert(tokens.end(), beam.tokens.begin(), beam.tokens.end());
      next.push_back(table.best_after(tokens, beams.candidates()));
    }
    beams.advance(next);
  }
  return beams.take_best();
}

TEST(BeamSearchGolden, BeamsAndScoresAreVllms) {
  const char* dir = std::getenv("SERAPH_GOLDEN_DIR");
  const fs::path golden = dir != nullptr ? fs::path(dir) : fs::path(SERAPH_SOURCE_DIR) / "../shared/golden";
  if (!fs::exists(golden / "sampling/beam.json")) GTEST_SKIP() << "no golden folder at " << golden;
  const Json truth = Json::parse_file((golden / "sampling/beam.json").string()).value();
  const auto tables = read_tables(golden / "sampling/beam.safetensors");
  size_t count = 0;
  for (const Json& record : truth.find("cases")->as_array()) {
    const std::string name = record.find("name")->as_string();
    const std::vector<Beam> got = search(record, tables.at(record.find("table")->as_string()));
    const Json::Array& want = record.find("beams")->as_array();
    ASSERT_EQ(got.size(), want.size()) << name;
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_EQ(got[i].tokens, ids_of(*want[i].find("path"))) << name << ", beam " << i;
      EXPECT_NEAR(got[i].cumulative, want[i].find("cumulative_logprob")->as_double(), 1e-4) << name;
      EXPECT_EQ(got[i].ended, want[i].find("finish_reason")->as_string() == "stop") << name;
      ++count;
    }
  }
  std::printf("%zu beams compared\n", count);
  EXPECT_GE(count, 200U);
}

}  // namespace
}  // namespace seraph
