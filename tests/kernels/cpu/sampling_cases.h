// Recorded truths of sampling: JSON cases with float32 tensors in a safetensors file beside them, and how
// to turn a case into a SampleRow. Used by the unit tests on a small copy and by the golden tests on all.
#pragma once

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/sampler.h"
#include "tests/kernels/cpu/support.h"

namespace seraph::cpu_test {

class SamplingCases {
 public:
  SamplingCases(const std::string& folder, const std::string& name) {
    Result<Json> parsed = Json::parse_file(folder + "/" + name + ".json");
    if (parsed.ok()) document_ = std::move(parsed.value());
    read_tensors(folder + "/" + name + ".safetensors");
  }

  const Json::Array& cases() const {
    static const Json::Array kNone;
    const Json* found = document_.find("cases");
    return found == nullptr ? kNone : found->as_array();
  }
  const std::vector<float>& tensor(const std::string& name) const { return tensors_.at(name); }

 private:
  void read_tensors(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (bytes.size() < 8) return;
    uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, bytes.data(), 8);
    const Json header = Json::parse(std::string_view(bytes).substr(8, header_bytes)).value();
    for (const auto& [name, value] : header.as_object()) {
      if (name == "__metadata__") continue;
      const Json::Array& offsets = value.find("data_offsets")->as_array();
      const auto begin = static_cast<size_t>(offsets[0].as_int());
      const auto end = static_cast<size_t>(offsets[1].as_int());
      std::vector<float>& tensor = tensors_[name];
      tensor.resize((end - begin) / 4);
      std::memcpy(tensor.data(), bytes.data() + 8 + header_bytes + begin, end - begin);
    }
  }

  Json document_;
  std::map<std::string, std::vector<float>> tensors_;
};

/// A SampleRow with the memory that it borrows.
struct RowOf {
  explicit RowOf(const Json& c) {
    const Json& params = *c.find("params");
    vocab = static_cast<int32_t>(c.find("vocab")->as_int());
    row.temperature = number(params, "temperature", 1.0F);
    row.top_k = static_cast<int32_t>(number(params, "top_k", 0.0F));
    row.top_p = number(params, "top_p", 1.0F);
    row.min_p = number(params, "min_p", 0.0F);
    row.repetition_penalty = number(params, "repetition_penalty", 1.0F);
    row.frequency_penalty = number(params, "frequency_penalty", 0.0F);
    row.presence_penalty = number(params, "presence_penalty", 0.0F);
    const std::vector<int32_t> prompt = ids(c, "prompt");
    const std::vector<int32_t> output = ids(c, "output");
    for (const int32_t id : std::set<int32_t>(prompt.begin(), prompt.end())) counts_of[id].in_prompt = true;
    for (const int32_t id : output) ++counts_of[id].in_output;
    for (auto& [id, count] : counts_of) {
      count.id = id;
      counts.push_back(count);
    }
    mask(params, output);
    if (const Json* biases = params.find("logit_bias"); biases != nullptr) {
      for (const auto& [id, value] : biases->as_object()) {
        bias.emplace_back(std::stoi(id), static_cast<float>(value.as_double()));
      }
    }
    row.counts = counts;
    row.bias = bias;
    row.banned = banned;
    row.allowed = allowed.empty() ? nullptr : allowed.data();
  }
  RowOf(const RowOf&) = delete;
  RowOf& operator=(const RowOf&) = delete;

  static float number(const Json& object, std::string_view key, float otherwise) {
    const Json* found = object.find(key);
    return found == nullptr || found->is_null() ? otherwise : static_cast<float>(found->as_double());
  }
  static std::vector<int32_t> ids(const Json& object, std::string_view key) {
    std::vector<int32_t> result;
    const Json* found = object.find(key);
    if (found == nullptr || !found->is_array()) return result;
    for (const Json& id : found->as_array()) result.push_back(static_cast<int32_t>(id.as_int()));
    return result;
  }

  int32_t vocab = 0;
  SampleRow row;
  std::map<int32_t, TokenCount> counts_of;
  std::vector<TokenCount> counts;
  std::vector<std::pair<int32_t, float>> bias;
  std::vector<int32_t> banned;
  std::vector<uint32_t> allowed;

 private:
  /// What the engine does before it calls: bad words, min_tokens and allowed ids become masks.
  void mask(const Json& params, const std::vector<int32_t>& output) {
    if (const Json* words = params.find("bad_words_token_ids"); words != nullptr) {
      for (const Json& word : words->as_array()) {
        const Json::Array& parts = word.as_array();
        const size_t before = parts.size() - 1;
        if (output.size() < before) continue;
        bool ends = true;
        for (size_t i = 0; i < before; ++i) ends = ends && parts[i].as_int() == output[output.size() - before + i];
        if (ends) banned.push_back(static_cast<int32_t>(parts.back().as_int()));
      }
    }
    if (number(params, "min_tokens", 0.0F) > static_cast<float>(output.size())) {
      const std::vector<int32_t> stops = ids(params, "stop_token_ids");
      banned.insert(banned.end(), stops.begin(), stops.end());
      if (const Json* eos = params.find("eos_token_id"); eos != nullptr && eos->is_int()) {
        banned.push_back(static_cast<int32_t>(eos->as_int()));
      }
    }
    if (params.find("allowed_token_ids") == nullptr) return;
    allowed.assign(static_cast<size_t>((vocab + 31) / 32), 0);
    for (const int32_t id : ids(params, "allowed_token_ids")) allowed[static_cast<size_t>(id / 32)] |= 1U << (id % 32);
  }
};

inline bool within(float expected, float actual) {
  if (std::isinf(expected)) return expected == actual;
  return std::fabs(expected - actual) <= 1e-5F + 1e-6F * std::fabs(expected);
}

/// Penalties, temperature and filters of every case against the recorded tensors. Returns how many ran.
inline int64_t check_process(const std::string& folder, const std::string& isa) {
  const SamplingCases truth(folder, "process");
  std::string error;
  const cpu::Kernels& kernels = *cpu::find_kernels(isa, error);
  cpu::Sampler sampler(kernels);
  sampler.reserve(200000);
  for (const Json& c : truth.cases()) {
    const std::string& name = c.find("name")->as_string();
    const RowOf test(c);
    std::vector<float> logits = truth.tensor(name + ".logits");
    const int64_t vocab = test.vocab;
    cpu::edit_logits(test.row, logits.data(), vocab);
    const std::vector<float>& penalised = truth.tensor(name + ".penalised");
    for (size_t i = 0; i < logits.size(); ++i) EXPECT_TRUE(within(penalised[i], logits[i])) << name << " id " << i;
    const int64_t best = kernels.argmax(logits.data(), vocab);
    EXPECT_EQ(best, RowOf::ids(c, "argmax_ids")[0]) << name;
    if (test.row.temperature < 1e-5F) continue;
    const float temperature = std::max(test.row.temperature, 0.01F);
    kernels.divide(logits.data(), vocab, temperature);
    const auto kept = sampler.filter(test.row, logits.data(), vocab, logits[static_cast<size_t>(best)]);
    const std::vector<float>& processed = truth.tensor(name + ".processed");
    const std::vector<float>& probabilities = truth.tensor(name + ".probs");
    EXPECT_EQ(static_cast<int64_t>(kept.size()), c.find("kept")->as_int()) << name;
    const std::vector<int32_t> tie = RowOf::ids(c, "top_p_tie");
    double sum = 0.0;
    for (const cpu::Candidate& k : kept) sum += k.weight;
    for (const cpu::Candidate& k : kept) {
      const auto id = static_cast<size_t>(k.id);
      if (std::find(tie.begin(), tie.end(), k.id) != tie.end()) continue;
      EXPECT_TRUE(within(processed[id], k.logit)) << name << " id " << id;
      EXPECT_NEAR(probabilities[id], k.weight / sum, 1e-6) << name << " id " << id;
    }
  }
  return static_cast<int64_t>(truth.cases().size());
}

/// Logprobs and ranks of the untouched logits. Returns how many cases ran.
inline int64_t check_logprobs(const std::string& folder, const std::string& isa) {
  const SamplingCases truth(folder, "logprobs");
  const auto backend = make_backend(isa, 2);
  backend->plan_scratch({.rows_max = 1, .cols_max = 200000});
  for (const Json& c : truth.cases()) {
    const std::string& name = c.find("name")->as_string();
    const Json& raw = *c.find("modes")->find("raw_logprobs");
    const Json& chosen = *raw.find("chosen");
    const auto top = static_cast<int32_t>(c.find("top_logprobs")->as_int());
    std::vector<float> logits = truth.tensor(name + ".logits");
    const auto columns = static_cast<int64_t>(logits.size());
    SampleRow row;
    row.given_token = static_cast<int32_t>(chosen.find("id")->as_int());
    row.num_logprobs = top;
    std::vector<SampledLogprob> logprobs(static_cast<size_t>(top) + 1);
    SampleResult result[1];
    result[0].logprobs = logprobs;
    backend->sample({Tensor{logits.data(), DType::kF32, 1, columns, columns}, static_cast<int32_t>(columns),
                     std::span(&row, 1), result});
    EXPECT_EQ(logprobs[0].id, row.given_token) << name;
    EXPECT_NEAR(logprobs[0].logprob, chosen.find("logprob")->as_double(), 1e-5) << name;
    EXPECT_EQ(logprobs[0].rank, chosen.find("rank")->as_int()) << name;
    const std::vector<int32_t> order = RowOf::ids(raw, "map_order");
    EXPECT_EQ(static_cast<size_t>(result[0].num_logprobs), order.size()) << name;
    if (raw.find("tie_in_or_at_edge")->as_bool()) continue;
    const std::vector<int32_t> top_ids = RowOf::ids(raw, "top_ids");
    for (size_t i = 0; i < order.size(); ++i) {
      EXPECT_EQ(logprobs[i].id, order[i]) << name;
      const auto at = std::find(top_ids.begin(), top_ids.end(), logprobs[i].id) - top_ids.begin();
      if (i == 0 || at == static_cast<int64_t>(top_ids.size())) continue;
      EXPECT_EQ(logprobs[i].rank, at + 1) << name;
      const double expected = raw.find("top_logprobs")->as_array()[static_cast<size_t>(at)].as_double();
      EXPECT_NEAR(logprobs[i].logprob, expected, 1e-5) << name;
    }
  }
  return static_cast<int64_t>(truth.cases().size());
}

inline int64_t check_philox(const std::string& folder) {
  const SamplingCases truth(folder, "philox");
  for (const Json& c : truth.cases()) {
    cpu::PhiloxWords counter{};
    uint32_t key[2] = {};
    uint32_t expected[4] = {};
    std::sscanf(c.find("counter")->as_string().c_str(), "%x %x %x %x", &counter.word[0], &counter.word[1],
                &counter.word[2], &counter.word[3]);
    std::sscanf(c.find("key")->as_string().c_str(), "%x %x", &key[0], &key[1]);
    std::sscanf(c.find("output")->as_string().c_str(), "%x %x %x %x", &expected[0], &expected[1], &expected[2],
                &expected[3]);
    const auto rounds = static_cast<int32_t>(c.find("rounds")->as_int());
    const cpu::PhiloxWords words = cpu::philox4x32(counter, key[0], key[1], rounds);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(words.word[i], expected[i]);
  }
  return static_cast<int64_t>(truth.cases().size());
}

inline int64_t check_gumbel(const std::string& folder) {
  const SamplingCases truth(folder, "gumbel");
  for (const Json& c : truth.cases()) {
    const uint64_t seed = std::stoull(c.find("seed")->as_string());
    const auto position = static_cast<uint32_t>(c.find("position")->as_int());
    const auto choice = static_cast<uint32_t>(c.find("choice")->as_int());
    const std::vector<int32_t> ids = RowOf::ids(c, "token_ids");
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto id = static_cast<uint32_t>(ids[i]);
      const cpu::PhiloxWords words = cpu::philox4x32({{id / 4, position, choice, 0}}, static_cast<uint32_t>(seed),
                                                     static_cast<uint32_t>(seed >> 32), 10);
      const uint32_t word = words.word[id % 4];
      EXPECT_EQ(word, std::stoul(c.find("words")->as_array()[i].as_string(), nullptr, 16));
      const double expected = c.find("gumbel")->as_array()[i].as_double();
      EXPECT_NEAR(cpu::gumbel_noise(word), expected, 1e-6 + 1e-6 * std::fabs(expected));
    }
  }
  return static_cast<int64_t>(truth.cases().size());
}

/// Draws `row` at `count` positions from `first` on, many rows a call.
inline std::vector<int32_t> draw_many(Backend& backend, const std::vector<float>& logits, SampleRow row, uint32_t first,
                                      int64_t count) {
  constexpr int64_t kRows = 64;
  const auto vocab = static_cast<int64_t>(logits.size());
  std::vector<float> copies(static_cast<size_t>(kRows * vocab));
  std::vector<int32_t> tokens;
  for (int64_t done = 0; done < count; done += kRows) {
    const auto now = static_cast<size_t>(std::min(kRows, count - done));
    std::vector<SampleRow> rows(now, row);
    std::vector<SampleResult> results(now);
    for (size_t i = 0; i < now; ++i) {
      std::copy(logits.begin(), logits.end(), copies.begin() + static_cast<int64_t>(i) * vocab);
      rows[i].logit_row = static_cast<int32_t>(i);
      rows[i].position = first + static_cast<uint32_t>(done) + static_cast<uint32_t>(i);
    }
    backend.sample(
        {Tensor{copies.data(), DType::kF32, kRows, vocab, vocab}, static_cast<int32_t>(vocab), rows, results});
    for (const SampleResult& result : results) tokens.push_back(result.token);
  }
  return tokens;
}

inline int64_t check_draws(const std::string& folder, const std::string& isa) {
  const SamplingCases truth(folder, "draws");
  const auto backend = make_backend(isa, 2);
  backend->plan_scratch({.rows_max = 64, .cols_max = 200000});
  for (const Json& c : truth.cases()) {
    const std::string& name = c.find("name")->as_string();
    SampleRow row;
    row.temperature = static_cast<float>(c.find("temperature")->as_double());
    row.seed = std::stoull(c.find("seed")->as_string());
    const std::vector<int32_t> expected = RowOf::ids(c, "token_ids");
    const auto first = static_cast<uint32_t>(c.find("first_position")->as_int());
    const std::vector<int32_t> drawn =
        draw_many(*backend, truth.tensor(name + ".logits"), row, first, static_cast<int64_t>(expected.size()));
    for (size_t i = 0; i < expected.size(); ++i) {
      if (expected[i] >= 0) {
        EXPECT_EQ(drawn[i], expected[i]) << name << " position " << first + i;
      }
    }
  }
  return static_cast<int64_t>(truth.cases().size());
}

inline int64_t check_frequencies(const std::string& folder, const std::string& isa) {
  const SamplingCases truth(folder, "frequencies");
  const auto backend = make_backend(isa, 2);
  backend->plan_scratch({.rows_max = 64, .cols_max = 200000});
  for (const Json& c : truth.cases()) {
    const std::string& name = c.find("name")->as_string();
    const RowOf test(c);
    SampleRow row = test.row;
    row.seed = 20240607;
    const int64_t draws = c.find("draws")->as_int();
    std::map<int64_t, int64_t> counts;
    for (const int32_t id : draw_many(*backend, truth.tensor(name + ".logits"), row, 0, draws)) ++counts[id];
    for (const int32_t id : RowOf::ids(c, "impossible")) EXPECT_EQ(counts[id], 0) << name << " id " << id;
    const Json::Array& bins = c.find("bins")->as_array();
    double chi2 = 0.0;
    for (size_t b = 0; b < bins.size(); ++b) {
      const double expected = c.find("expected")->as_array()[b].as_double() * static_cast<double>(draws);
      double count = 0.0;
      for (const Json& id : bins[b].as_array()) count += static_cast<double>(counts[id.as_int()]);
      chi2 += (count - expected) * (count - expected) / expected;
    }
    EXPECT_LE(chi2, c.find("chi2_limit_1e-6")->as_double()) << name;
  }
  return static_cast<int64_t>(truth.cases().size());
}

}  // namespace seraph::cpu_test
