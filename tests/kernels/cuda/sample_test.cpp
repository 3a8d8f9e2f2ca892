// sample() on the simulator: the recorded truths, and token for token what the CPU's sampler gives.
#include "kernels/cuda/sample.h"

#include "kernels/cuda/device_sampler.h"
#include "tests/kernels/cpu/sampling_cases.h"
#include "tests/kernels/cuda/device_tensor.h"

namespace seraph::cuda_test {
namespace {

using cpu_test::RowOf;
using cpu_test::SamplingCases;

const std::string kFolder = SERAPH_TEST_DATA "/golden/sampling";

struct Sampled {
  int32_t token = -1;
  std::vector<SampledLogprob> logprobs;
};

/// What a backend does with SampleRows before and after the launch.
class DeviceRows {
 public:
  explicit DeviceRows(const std::vector<SampleRow>& rows, int32_t vocab)
      : num_rows_(static_cast<int32_t>(rows.size())) {
    for (const SampleRow& row : rows) {
      cuda::DeviceSampleRow out = cuda::plain_row(row);
      out.counts_begin = static_cast<int32_t>(counts_.size());
      for (const TokenCount& c : row.counts) {
        if (c.in_prompt || c.in_output > 0) counts_.push_back({c.id, c.in_output});
      }
      out.counts_end = static_cast<int32_t>(counts_.size());
      out.bias_begin = static_cast<int32_t>(bias_.size());
      for (const auto& [id, bias] : row.bias) bias_.push_back({id, bias});
      out.bias_end = static_cast<int32_t>(bias_.size());
      out.banned_begin = static_cast<int32_t>(banned_.size());
      const std::set<int32_t> distinct(row.banned.begin(), row.banned.end());
      banned_.insert(banned_.end(), distinct.begin(), distinct.end());
      out.banned_end = static_cast<int32_t>(banned_.size());
      if (row.allowed != nullptr) {
        out.allowed_begin = static_cast<int32_t>(allowed_.size());
        allowed_.insert(allowed_.end(), row.allowed, row.allowed + (vocab + 31) / 32);
      }
      stride_ = std::max(stride_, row.num_logprobs + 1);
      rows_.push_back(out);
    }
  }

  std::vector<Sampled> sample(const std::vector<float>& logits, int64_t num_logit_rows, int32_t vocab,
                              int64_t padding = 0) const {
    const int64_t columns = static_cast<int64_t>(logits.size()) / num_logit_rows;
    const DeviceTensor tensor(logits, num_logit_rows, columns, DType::kF32, padding);
    const DeviceArray<cuda::DeviceSampleRow> rows(rows_);
    const DeviceArray<cuda::DeviceTokenCount> counts(filled(counts_));
    const DeviceArray<cuda::DeviceTokenBias> bias(filled(bias_));
    const DeviceArray<int32_t> banned(filled(banned_));
    const DeviceArray<uint32_t> allowed(filled(allowed_));
    const DeviceArray<float> saved(counts_.size() + bias_.size() + banned_.size() + 1);
    const auto entries = static_cast<size_t>(num_rows_ * std::max(stride_, 1));
    const DeviceArray<int32_t> tokens(std::vector<int32_t>(rows_.size(), -7));
    const DeviceArray<int32_t> ids(std::vector<int32_t>(entries, -7));
    const DeviceArray<float> logprobs(std::vector<float>(entries, 7.0F));
    const DeviceArray<int32_t> ranks(std::vector<int32_t>(entries, -7));
    const DeviceArray<int32_t> num(std::vector<int32_t>(rows_.size(), -7));
    EXPECT_EQ(finish(cuda::sample({.logits = tensor.tensor(),
                                   .vocab_size = vocab,
                                   .rows = rows.data(),
                                   .num_rows = num_rows_,
                                   .counts = counts.data(),
                                   .num_counts = static_cast<int64_t>(counts_.size()),
                                   .bias = bias.data(),
                                   .num_bias = static_cast<int64_t>(bias_.size()),
                                   .banned = banned.data(),
                                   .num_banned = static_cast<int64_t>(banned_.size()),
                                   .allowed = allowed.data(),
                                   .num_allowed_words = static_cast<int64_t>(allowed_.size()),
                                   .saved = saved.data(),
                                   .tokens = tokens.data(),
                                   .logprob_ids = ids.data(),
                                   .logprobs = logprobs.data(),
                                   .logprob_ranks = ranks.data(),
                                   .num_logprobs = num.data(),
                                   .logprobs_stride = stride_},
                                  nullptr)),
              "");
    std::vector<Sampled> out(rows_.size());
    for (size_t r = 0; r < out.size(); ++r) {
      out[r].token = tokens.values()[r];
      for (int32_t i = 0; i < num.values()[r]; ++i) {
        const size_t at = r * static_cast<size_t>(stride_) + static_cast<size_t>(i);
        out[r].logprobs.push_back({ids.values()[at], logprobs.values()[at], ranks.values()[at]});
      }
    }
    return out;
  }

 private:
  template <typename T>
  static std::vector<T> filled(std::vector<T> values) {
    values.push_back({});  // an allocation has at least a byte
    return values;
  }

  int32_t num_rows_;
  int32_t stride_ = 0;
  std::vector<cuda::DeviceSampleRow> rows_;
  std::vector<cuda::DeviceTokenCount> counts_;
  std::vector<cuda::DeviceTokenBias> bias_;
  std::vector<int32_t> banned_;
  std::vector<uint32_t> allowed_;
};

Sampled sample_one(const std::vector<float>& logits, const SampleRow& row, int32_t vocab) {
  return DeviceRows({row}, vocab).sample(logits, 1, vocab)[0];
}

Sampled sample_on_cpu(Backend& backend, std::vector<float> logits, SampleRow row, int32_t vocab) {
  row.logit_row = 0;
  const auto columns = static_cast<int64_t>(logits.size());
  backend.plan_scratch({.rows_max = 1, .cols_max = columns});
  std::vector<SampledLogprob> logprobs(static_cast<size_t>(std::max(row.num_logprobs, 0)) + 1);
  SampleResult result[1];
  result[0].logprobs = logprobs;
  backend.sample({Tensor{logits.data(), DType::kF32, 1, columns, columns}, vocab, std::span(&row, 1), result});
  logprobs.resize(static_cast<size_t>(result[0].num_logprobs));
  return {result[0].token, logprobs};
}

void expect_same(const Sampled& expected, const Sampled& actual, const std::string& what) {
  EXPECT_EQ(expected.token, actual.token) << what;
  ASSERT_EQ(expected.logprobs.size(), actual.logprobs.size()) << what;
  for (size_t i = 0; i < expected.logprobs.size(); ++i) {
    EXPECT_EQ(expected.logprobs[i].id, actual.logprobs[i].id) << what << " entry " << i;
    EXPECT_EQ(expected.logprobs[i].rank, actual.logprobs[i].rank) << what << " entry " << i;
    EXPECT_NEAR(expected.logprobs[i].logprob, actual.logprobs[i].logprob,
                2e-6 * (1.0 + std::fabs(expected.logprobs[i].logprob)))
        << what;
  }
}

TEST(CudaSample, recorded_cases_draw_what_the_cpu_draws) {
  const SamplingCases truth(kFolder, "process");
  const auto backend = cpu_test::make_backend("");
  ASSERT_GT(truth.cases().size(), 50U);
  for (const Json& c : truth.cases()) {
    TestDevice device;
    const std::string& name = c.find("name")->as_string();
    const RowOf test(c);
    const std::vector<float>& logits = truth.tensor(name + ".logits");
    constexpr int32_t kDraws = 2;
    std::vector<SampleRow> rows(kDraws, test.row);
    std::vector<float> copies;
    for (int32_t i = 0; i < kDraws; ++i) {
      auto& row = rows[static_cast<size_t>(i)];
      row.logit_row = i;
      row.position = static_cast<uint32_t>(i);
      row.seed = 99 + logits.size();
      row.num_logprobs = i % 2 == 0 ? 5 : -1;
      copies.insert(copies.end(), logits.begin(), logits.end());
    }
    const std::vector<Sampled> sampled = DeviceRows(rows, test.vocab).sample(copies, kDraws, test.vocab, 3);
    for (size_t i = 0; i < kDraws; ++i) {
      expect_same(sample_on_cpu(*backend, logits, rows[i], test.vocab), sampled[i], name);
    }
    if (test.row.temperature < 1e-5F) {
      EXPECT_EQ(sampled[0].token, RowOf::ids(c, "argmax_ids")[0]) << name;
    }
  }
}

TEST(CudaSample, logprobs_follow_the_recorded_cases) {
  const SamplingCases truth(kFolder, "logprobs");
  ASSERT_GT(truth.cases().size(), 10U);
  for (const Json& c : truth.cases()) {
    TestDevice device;
    const std::string& name = c.find("name")->as_string();
    const Json& raw = *c.find("modes")->find("raw_logprobs");
    const std::vector<float>& logits = truth.tensor(name + ".logits");
    SampleRow row;
    row.given_token = static_cast<int32_t>(raw.find("chosen")->find("id")->as_int());
    row.num_logprobs = static_cast<int32_t>(c.find("top_logprobs")->as_int());
    const Sampled sampled = sample_one(logits, row, static_cast<int32_t>(logits.size()));
    ASSERT_FALSE(sampled.logprobs.empty());
    EXPECT_EQ(sampled.logprobs[0].id, row.given_token) << name;
    EXPECT_NEAR(sampled.logprobs[0].logprob, raw.find("chosen")->find("logprob")->as_double(), 1e-5) << name;
    EXPECT_EQ(sampled.logprobs[0].rank, raw.find("chosen")->find("rank")->as_int()) << name;
    const std::vector<int32_t> order = RowOf::ids(raw, "map_order");
    EXPECT_EQ(sampled.logprobs.size(), order.size()) << name;
    if (raw.find("tie_in_or_at_edge")->as_bool()) continue;
    for (size_t i = 0; i < order.size(); ++i) EXPECT_EQ(sampled.logprobs[i].id, order[i]) << name;
  }
}

TEST(CudaSample, draws_follow_the_recorded_tokens) {
  const SamplingCases truth(kFolder, "draws");
  ASSERT_GT(truth.cases().size(), 5U);
  for (const Json& c : truth.cases()) {
    TestDevice device;
    const std::string& name = c.find("name")->as_string();
    const std::vector<float>& logits = truth.tensor(name + ".logits");
    const std::vector<int32_t> expected = RowOf::ids(c, "token_ids");
    const size_t count = std::min<size_t>(expected.size(), 12);
    std::vector<SampleRow> rows(count);
    std::vector<float> copies;
    for (size_t i = 0; i < count; ++i) {
      rows[i].logit_row = static_cast<int32_t>(i);
      rows[i].temperature = static_cast<float>(c.find("temperature")->as_double());
      rows[i].seed = std::stoull(c.find("seed")->as_string());
      rows[i].position = static_cast<uint32_t>(c.find("first_position")->as_int()) + static_cast<uint32_t>(i);
      copies.insert(copies.end(), logits.begin(), logits.end());
    }
    const auto vocab = static_cast<int32_t>(logits.size());
    const std::vector<Sampled> sampled = DeviceRows(rows, vocab).sample(copies, static_cast<int64_t>(count), vocab);
    for (size_t i = 0; i < count; ++i) {
      if (expected[i] >= 0) {
        EXPECT_EQ(sampled[i].token, expected[i]) << name << " draw " << i;
      }
    }
  }
}

TEST(CudaSample, wide_vocabularies_and_many_equals_are_cut_where_the_cpu_cuts_them) {
  const auto backend = cpu_test::make_backend("");
  for (const float scale : {0.0F, 0.02F, 1.0F, 6.0F}) {
    TestDevice device;
    constexpr int32_t kVocab = 2503;
    std::vector<float> logits = random_values(kVocab, 8, scale);
    for (float& x : logits) x += 2.0F;
    for (size_t i = 0; i < logits.size(); i += 3) logits[i] = std::round(logits[i] * 4.0F) / 4.0F;
    for (const auto& [k, p, min_p] :
         {std::tuple{0, 0.6F, 0.0F}, {40, 1.0F, 0.0F}, {1500, 0.8F, 0.01F}, {1, 0.5F, 0.0F}, {0, 1.0F, 0.3F}}) {
      SampleRow row = {.temperature = 0.9F, .top_k = k, .top_p = p, .min_p = min_p, .num_logprobs = 20};
      for (uint32_t position = 0; position < 2; ++position) {
        row.seed = 5 + position;
        row.position = position;
        expect_same(sample_on_cpu(*backend, logits, row, kVocab), sample_one(logits, row, kVocab),
                    "scale " + std::to_string(scale) + " top_k " + std::to_string(k) + " top_p " + std::to_string(p));
      }
    }
  }
}

TEST(CudaSample, a_row_does_not_depend_on_its_mates_or_on_the_order_of_threads) {
  constexpr int32_t kVocab = 1000;
  const std::vector<float> logits = random_values(kVocab * 3, 12, 3.0F);
  std::vector<SampleRow> rows(3);
  for (size_t i = 0; i < 3; ++i) {
    rows[i] = {
        .logit_row = static_cast<int32_t>(2 - i), .temperature = 0.7F, .top_p = 0.9F, .seed = i, .num_logprobs = 3};
  }
  TestDevice device({.seed = 3});
  const std::vector<Sampled> together = DeviceRows(rows, kVocab).sample(logits, 3, kVocab);
  for (size_t i = 0; i < 3; ++i) {
    TestDevice other({.seed = 50 + i});
    SampleRow row = rows[i];
    const auto begin = logits.begin() + row.logit_row * kVocab;
    row.logit_row = 0;
    const Sampled alone = sample_one({begin, begin + kVocab}, row, kVocab);
    EXPECT_EQ(alone.token, together[i].token);
    ASSERT_EQ(alone.logprobs.size(), together[i].logprobs.size());
    for (size_t j = 0; j < alone.logprobs.size(); ++j) {
      EXPECT_EQ(alone.logprobs[j].logprob, together[i].logprobs[j].logprob);
    }
  }
}

TEST(CudaSample, masks_win_over_bias_and_nothing_left_is_no_token) {
  TestDevice device;
  const std::vector<float> logits(64, 0.0F);
  const int32_t banned[] = {0, 1};
  const std::pair<int32_t, float> bias[] = {{1, 100.0F}, {7, 1e9F}, {9, 99.0F}};
  EXPECT_EQ(sample_one(logits, {.bias = bias, .banned = banned}, 64).token, 7);
  const uint32_t only[] = {1U << 9, 1U << 3};
  EXPECT_EQ(sample_one(logits, {.allowed = only}, 64).token, 9);
  const uint32_t none[] = {0, 0};
  EXPECT_EQ(sample_one(logits, {.allowed = none}, 64).token, -1);
  EXPECT_EQ(sample_one(logits, {.temperature = 1.0F, .top_p = 0.5F, .num_logprobs = 2, .allowed = none}, 64).token, -1);
}

TEST(CudaSample, greedy_takes_the_smaller_id_of_equals_and_never_padding_or_nan) {
  TestDevice device;
  std::vector<float> logits(100, -1.0F);
  logits[37] = logits[38] = logits[90] = 2.0F;
  logits[97] = 9.0F;
  EXPECT_EQ(sample_one(logits, {}, 96).token, 37);
  EXPECT_EQ(sample_one(logits, {.temperature = 0.5F, .top_k = 1, .seed = 3}, 98).token, 97);
  logits[37] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(sample_one(logits, {}, 96).token, 38);
}

}  // namespace
}  // namespace seraph::cuda_test
