// Draws through the backend: token for token and rank for rank what the CPU's sampler gives.
#include "kernels/cuda/device_sampler.h"

#include <numeric>

#include "kernels/cuda_access.h"
#include "tests/kernels/backend_runner.h"
#include "tests/kernels/cuda/device.h"

namespace seraph {
namespace {

using backend_test::DeviceMatrix;
using cpu_test::random_values;

constexpr int32_t kVocab = 300;
constexpr int32_t kRows = 6;

/// Rows that ask for everything at once, each in its own way.
struct Draws {
  std::vector<TokenCount> counts = {{.id = 5, .in_output = 2}, {.id = 9, .in_prompt = true}, {.id = 11}};
  std::vector<std::pair<int32_t, float>> bias = {{4, 3.0F}, {200, -100.0F}};
  std::vector<int32_t> banned = {7, 7, 30, 299};
  std::vector<int32_t> logprob_ids = {299, 3};
  std::vector<uint32_t> allowed = std::vector<uint32_t>((kVocab + 31) / 32, 0x0F0F0F0FU);
  std::vector<SampleRow> rows = std::vector<SampleRow>(kRows);
  std::vector<SampleResult> results = std::vector<SampleResult>(kRows);
  std::vector<SampledLogprob> logprobs = std::vector<SampledLogprob>(kRows * 6);

  Draws() {
    for (size_t i = 0; i < rows.size(); ++i) {
      SampleRow& row = rows[i];
      row.logit_row = static_cast<int32_t>(rows.size() - 1 - i);
      row.seed = 77 + i;
      row.position = static_cast<uint32_t>(i);
      row.temperature = i == 0 ? 0.0F : 0.9F;
      row.repetition_penalty = 1.3F;
      row.presence_penalty = 0.5F;
      if (i % 2 == 0) row.counts = counts;
      if (i != 2) row.bias = bias;
      if (i > 0) row.banned = banned;
      if (i == 3) row.allowed = allowed.data();
      if (i == 4) row.given_token = 17;
      row.top_k = i == 5 ? 40 : 0;
      row.num_logprobs = static_cast<int32_t>(i) - 1;
      if (i == 3) row.logprob_ids = logprob_ids;
      if (row.num_logprobs >= 0) {
        results[i].logprobs = std::span(logprobs).subspan(i * 6, static_cast<size_t>(row.num_logprobs) + 1);
      }
    }
  }
};

void draw(Backend& backend, Draws& draws, const std::vector<float>& logits, bool staged) {
  const DeviceMatrix matrix(backend, logits, kRows, kVocab, DType::kF32);
  const SampleArgs args = {
      .logits = matrix.tensor(), .vocab_size = kVocab, .rows = draws.rows, .results = draws.results};
  if (staged) backend.stage({}, &args);
  backend.sample(args);
  const DeviceStatus status = backend.synchronize();
  EXPECT_TRUE(status.ok) << status.message;
}

void expect_equal(const Draws& expected, const Draws& actual) {
  for (size_t i = 0; i < expected.rows.size(); ++i) {
    EXPECT_EQ(actual.results[i].token, expected.results[i].token) << "row " << i;
    ASSERT_EQ(actual.results[i].num_logprobs, expected.results[i].num_logprobs) << "row " << i;
    for (int32_t k = 0; k < expected.results[i].num_logprobs; ++k) {
      const SampledLogprob& want = expected.results[i].logprobs[static_cast<size_t>(k)];
      const SampledLogprob& have = actual.results[i].logprobs[static_cast<size_t>(k)];
      EXPECT_EQ(have.id, want.id) << "row " << i;
      EXPECT_EQ(have.rank, want.rank) << "row " << i;
      EXPECT_NEAR(have.logprob, want.logprob, 1e-4) << "row " << i;
    }
  }
}

class DeviceSamplerTest : public testing::Test {
 protected:
  std::unique_ptr<Backend> make(int64_t logit_rows_max) {
    std::string error;
    auto backend = cuda_access()->make_backend({}, error);
    EXPECT_NE(backend, nullptr) << error;
    EXPECT_TRUE(backend->plan_scratch({.rows_max = 8, .cols_max = kVocab, .logit_rows_max = logit_rows_max}));
    return backend;
  }
  Draws on_cpu() {
    const auto cpu = cpu_test::make_backend("");
    cpu->plan_scratch({.rows_max = 8, .cols_max = kVocab});
    Draws draws;
    draw(*cpu, draws, logits_, false);
    return draws;
  }

  cuda_test::TestDevice device_{{.memory_bytes = int64_t{1} << 28}};
  std::vector<float> logits_ = random_values(kRows * kVocab, 31, 2.0F);
};

TEST_F(DeviceSamplerTest, GivesWhatTheCpuGives) {
  const auto cuda = make(kRows);
  for (const bool staged : {false, true}) {
    Draws draws;
    draw(*cuda, draws, logits_, staged);
    expect_equal(on_cpu(), draws);
  }
}

#ifdef SERAPH_CUDA_SIM
/// Room for two rows at a time: the step takes three launches, and nobody can tell.
TEST_F(DeviceSamplerTest, AStepThatDoesNotFitAtOnceGoesInParts) {
  cuda_test::TestDevice device({.memory_bytes = int64_t{1} << 28});
  cuda::StreamWork work;
  cuda::Staging staging(work);
  ASSERT_TRUE(work.open() && staging.open(1 << 16));
  cuda::DeviceSampler sampler(work, staging);
  ASSERT_TRUE(sampler.plan(kRows, kVocab));
  const auto count_launches = [&](size_t bans) {
    std::vector<int32_t> banned(bans);
    std::iota(banned.begin(), banned.end(), kVocab);  // no id of the vocabulary, so nothing changes
    std::vector<SampleRow> rows(3);
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = {.logit_row = static_cast<int32_t>(i), .banned = banned};
    std::vector<SampleResult> results(rows.size());
    Buffer memory = work.allocate(kRows * kVocab * 4);
    staging.copy(memory.data(), logits_.data(), kRows * kVocab * 4);
    const int64_t before = device.num_launches();
    sampler.launch({.logits = {memory.data(), DType::kF32, kRows, kVocab, kVocab},
                    .vocab_size = kVocab,
                    .rows = rows,
                    .results = results});
    sampler.fetch(0);
    work.wait();
    EXPECT_EQ(work.fault(), "");
    sampler.deliver(0);
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto row = logits_.begin() + static_cast<std::ptrdiff_t>(i * kVocab);
      EXPECT_EQ(results[i].token, std::max_element(row, row + kVocab) - row);
    }
    return device.num_launches() - before;
  };
  EXPECT_EQ(count_launches(10), 1);
  EXPECT_EQ(count_launches(100000), 3);
}
#endif

}  // namespace
}  // namespace seraph
