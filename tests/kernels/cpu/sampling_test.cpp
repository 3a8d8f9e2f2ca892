// Sampling: a small copy of the recorded truths, and behaviour at the edges: ties, masks, full vocabularies.
#include <numeric>
#include <tuple>

#include "tests/kernels/cpu/sampling_cases.h"

namespace seraph::cpu_test {
namespace {

const std::string kFolder = SERAPH_TEST_DATA "/golden/sampling";
constexpr int32_t kVocab = 30011;

TEST(Sampling, processing_follows_the_recorded_cases) {
  for (const std::string& isa : isa_levels()) EXPECT_GT(check_process(kFolder, isa), 50);
}

TEST(Sampling, logprobs_follow_the_recorded_cases) {
  for (const std::string& isa : isa_levels()) EXPECT_GT(check_logprobs(kFolder, isa), 10);
}

TEST(Sampling, noise_follows_the_recorded_words) {
  EXPECT_GT(check_philox(kFolder), 5);
  EXPECT_GT(check_gumbel(kFolder), 5);
}

TEST(Sampling, draws_follow_the_recorded_tokens) {
  for (const std::string& isa : isa_levels()) EXPECT_GT(check_draws(kFolder, isa), 5);
}

/// Samples `row` from a copy of the logits.
SampleResult sample_one(Backend& backend, std::vector<float> logits, const SampleRow& row, int32_t vocab) {
  backend.plan_scratch({.rows_max = 1, .cols_max = static_cast<int64_t>(logits.size())});
  SampleResult result[1];
  const auto columns = static_cast<int64_t>(logits.size());
  backend.sample({Tensor{logits.data(), DType::kF32, 1, columns, columns}, vocab, std::span(&row, 1), result});
  return result[0];
}

/// The draw by its definition: every id's noise with both logarithms.
int32_t plain_draw(const std::vector<float>& logits, const SampleRow& row) {
  int32_t best = -1;
  float best_score = 0.0F;
  for (int32_t id = 0; id < static_cast<int32_t>(logits.size()); ++id) {
    const auto unsigned_id = static_cast<uint32_t>(id);
    const cpu::PhiloxWords words =
        cpu::philox4x32({{unsigned_id >> 2, row.position, row.choice, 0}}, static_cast<uint32_t>(row.seed),
                        static_cast<uint32_t>(row.seed >> 32), 10);
    const float score =
        logits[static_cast<size_t>(id)] / row.temperature + cpu::gumbel_noise(words.word[unsigned_id & 3U]);
    if (best < 0 || score > best_score) {
      best = id;
      best_score = score;
    }
  }
  return best;
}

TEST(Sampling, the_pruned_draw_is_the_plain_draw_on_every_instruction_set) {
  for (const float scale : {0.01F, 1.0F, 5.0F, 3000.0F}) {
    for (const size_t vocab : {1U, 3U, 65U, 1000U, 20011U}) {
      const std::vector<float> logits = random_values(vocab, static_cast<uint32_t>(vocab), scale);
      for (uint32_t position = 0; position < 6; ++position) {
        const SampleRow row = {
            .temperature = 0.8F, .seed = 0x123456789ABCDEFULL + position, .position = position, .choice = 2};
        const int32_t expected = plain_draw(logits, row);
        for (const std::string& isa : isa_levels()) {
          ASSERT_EQ(sample_one(*make_backend(isa), logits, row, static_cast<int32_t>(vocab)).token, expected)
              << isa << " vocabulary " << vocab << " scale " << scale;
        }
      }
    }
  }
}

TEST(Sampling, filters_leave_the_same_ids_as_a_full_sort) {
  std::string error;
  for (const std::string& isa : isa_levels()) {
    cpu::Sampler sampler(*cpu::find_kernels(isa, error));
    sampler.reserve(kVocab);
    for (const float scale : {0.1F, 2.0F, 6.0F}) {
      const std::vector<float> logits = random_values(kVocab, 77, scale);
      const float largest = *std::max_element(logits.begin(), logits.end());
      std::vector<int32_t> order(kVocab);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
      });
      for (const auto& [k, p] : {std::pair{0, 0.9F}, {0, 0.3F}, {1, 1.0F}, {50, 1.0F}, {2000, 0.7F}, {0, 0.9999F}}) {
        double total = 0.0;
        const size_t limit = k > 0 ? static_cast<size_t>(k) : order.size();
        const auto weight = [&](size_t i) {
          return std::exp(static_cast<double>(logits[static_cast<size_t>(order[i])]) - largest);
        };
        for (size_t i = 0; i < limit; ++i) total += weight(i);
        std::set<int32_t> expected;
        double before = 0.0;
        for (size_t i = 0; i < limit && (i == 0 || p >= 1.0F || before < static_cast<double>(p) * total); ++i) {
          expected.insert(order[i]);
          before += weight(i);
        }
        std::set<int32_t> kept;
        for (const cpu::Candidate& c : sampler.filter({.top_k = k, .top_p = p}, logits.data(), kVocab, largest)) {
          kept.insert(c.id);
        }
        // The border of top_p may move by an id where the sums differ in their last digits.
        const auto difference = static_cast<int64_t>(kept.size()) - static_cast<int64_t>(expected.size());
        EXPECT_LE(std::abs(difference), p < 1.0F ? 2 + static_cast<int64_t>(expected.size()) / 100000 : 0) << isa;
        EXPECT_TRUE(std::includes(kept.begin(), kept.end(), expected.begin(), expected.end()) ||
                    std::includes(expected.begin(), expected.end(), kept.begin(), kept.end()));
      }
    }
  }
}

TEST(Sampling, greedy_takes_the_smaller_id_of_equals_and_never_padding) {
  for (const std::string& isa : isa_levels()) {
    const auto backend = make_backend(isa);
    std::vector<float> logits(100, -1.0F);
    logits[37] = logits[38] = logits[90] = 2.0F;
    logits[97] = 9.0F;
    EXPECT_EQ(sample_one(*backend, logits, {}, 96).token, 37);
    EXPECT_EQ(sample_one(*backend, logits, {.temperature = 0.5F, .top_k = 1, .seed = 3}, 98).token, 97);
    logits[37] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(sample_one(*backend, logits, {}, 96).token, 38);
  }
}

TEST(Sampling, masks_win_over_bias_and_nothing_left_is_no_token) {
  const auto backend = make_backend("");
  const std::vector<float> logits(64, 0.0F);
  const int32_t banned[] = {0, 1};
  const std::pair<int32_t, float> bias[] = {{1, 100.0F}, {7, 1e9F}, {9, 99.0F}};
  EXPECT_EQ(sample_one(*backend, logits, {.bias = bias, .banned = banned}, 64).token, 7);
  const uint32_t only[] = {1U << 9, 1U << 3};
  EXPECT_EQ(sample_one(*backend, logits, {.allowed = only}, 64).token, 9);
  const uint32_t none[] = {0, 0};
  EXPECT_EQ(sample_one(*backend, logits, {.allowed = none}, 64).token, -1);
  EXPECT_EQ(sample_one(*backend, logits, {.temperature = 1.0F, .top_p = 0.5F, .allowed = none}, 64).token, -1);
}

TEST(Sampling, logprobs_are_of_the_untouched_logits) {
  const auto backend = make_backend("", 2);
  backend->plan_scratch({.rows_max = 1, .cols_max = 8});
  std::vector<float> logits = {0.0F, 1.0F, 2.0F, 3.0F, 3.0F, -1.0F, 0.5F, 2.5F};
  const std::vector<float> original = logits;
  const int32_t banned[] = {3, 4};
  const SampleRow row = {.temperature = 0.7F, .top_k = 1, .num_logprobs = 3, .banned = banned};
  std::vector<SampledLogprob> logprobs(4);
  SampleResult result[1];
  result[0].logprobs = logprobs;
  backend->sample({Tensor{logits.data(), DType::kF32, 1, 8, 8}, 8, std::span(&row, 1), result});
  double sum = 0.0;
  for (const float x : original) sum += std::exp(static_cast<double>(x));
  EXPECT_EQ(result[0].token, 7);
  ASSERT_EQ(result[0].num_logprobs, 3);  // the chosen id is one of the three best
  EXPECT_EQ(logprobs[0].id, 7);
  EXPECT_EQ(logprobs[0].rank, 3);
  EXPECT_NEAR(logprobs[0].logprob, 2.5 - std::log(sum), 1e-6);
  EXPECT_EQ(logprobs[1].id, 3);
  EXPECT_EQ(logprobs[2].id, 4);
  EXPECT_EQ(logprobs[1].rank, 2);  // both are at least as large as each other
  EXPECT_EQ(logprobs[2].rank, 2);
}

TEST(Sampling, logprobs_of_named_ids_come_in_their_order_and_also_when_chosen) {
  const auto backend = make_backend("", 2);
  backend->plan_scratch({.rows_max = 1, .cols_max = 8});
  std::vector<float> logits = {0.0F, 1.0F, 2.0F, 3.0F, 3.0F, -1.0F, 0.5F, 2.5F};
  double sum = 0.0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x));
  const int32_t ids[] = {5, 3, 0};
  const SampleRow row = {.num_logprobs = 3, .logprob_ids = ids};
  std::vector<SampledLogprob> logprobs(4);
  SampleResult result[1];
  result[0].logprobs = logprobs;
  backend->sample({Tensor{logits.data(), DType::kF32, 1, 8, 8}, 8, std::span(&row, 1), result});
  ASSERT_EQ(result[0].num_logprobs, 4);
  const std::tuple<int32_t, double, int32_t> expected[] = {{3, 3.0, 2}, {5, -1.0, 8}, {3, 3.0, 2}, {0, 0.0, 7}};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(logprobs[i].id, std::get<0>(expected[i]));
    EXPECT_NEAR(logprobs[i].logprob, std::get<1>(expected[i]) - std::log(sum), 1e-6);
    EXPECT_EQ(logprobs[i].rank, std::get<2>(expected[i]));
  }
}

}  // namespace
}  // namespace seraph::cpu_test
