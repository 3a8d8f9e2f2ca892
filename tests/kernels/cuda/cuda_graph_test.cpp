// A recorded step replayed on other lists gives, bit for bit, what its operations give one by one.
#include <gtest/gtest.h>

#include "kernels/cuda_access.h"
#include "tests/kernels/backend_runner.h"
#include "tests/kernels/cuda/device.h"

namespace seraph {
namespace {

using backend_test::DeviceMatrix;
using backend_test::pack_floats;
using cpu_test::random_values;

constexpr int32_t kVocab = 64;

/// Embedding, head and draw of two rows.
class TinyStep {
 public:
  explicit TinyStep(Backend& backend)
      : backend_(backend),
        table_(pack_floats(backend, random_values(kVocab * 64, 1), kVocab, 64, DType::kF16)),
        x_(backend, 2, 64, DType::kF32),
        normed_(backend, 2, 64, DType::kF16),
        logits_(backend, 2, kVocab, DType::kF32),
        ones_(backend.pack_bias(std::vector<float>(64, 1.0F), false)) {}

  void stage(const std::vector<int32_t>& ids) {
    ids_ = ids;
    for (size_t i = 0; i < rows_.size(); ++i) rows_[i].logit_row = static_cast<int32_t>(i);
    const std::span<const int32_t> lists[] = {ids_};
    draws_ = {.logits = logits_.tensor(), .vocab_size = kVocab, .rows = rows_, .results = results_};
    backend_.stage(lists, &draws_);
  }
  void run() {
    backend_.embed({.ids = ids_, .table = table_.get(), .out = x_.tensor()});
    backend_.rms_norm(
        {.x = x_.tensor(), .weight = static_cast<const float*>(ones_.data()), .group = 64, .out = normed_.tensor()});
    backend_.linear({.x = normed_.tensor(), .weight = table_.get(), .out = logits_.tensor()});
    backend_.sample(draws_);
  }
  std::vector<int32_t> tokens() const { return {results_[0].token, results_[1].token}; }
  std::vector<float> logits() const { return logits_.values(); }

 private:
  Backend& backend_;
  std::unique_ptr<Weight> table_;
  DeviceMatrix x_, normed_, logits_;
  Buffer ones_;
  std::vector<int32_t> ids_;
  std::vector<SampleRow> rows_ = std::vector<SampleRow>(2);
  std::vector<SampleResult> results_ = std::vector<SampleResult>(2);
  SampleArgs draws_;
};

class CudaGraphTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string error;
    backend_ = cuda_access()->make_backend({}, error);
    ASSERT_NE(backend_, nullptr) << error;
    ASSERT_TRUE(backend_->plan_scratch({.rows_max = 4, .cols_max = kVocab, .logit_rows_max = 4}));
  }

  cuda_test::TestDevice device_{{.memory_bytes = int64_t{1} << 28}};
  std::unique_ptr<Backend> backend_;
};

TEST_F(CudaGraphTest, AReplayIsTheStep) {
  TinyStep step(*backend_);
  step.stage({3, 4});
  backend_->begin_recording();
  step.run();
  const auto graph = backend_->end_recording();
  ASSERT_NE(graph, nullptr);
  for (const auto& ids : {std::vector<int32_t>{3, 4}, {50, 0}, {7, 7}}) {
    step.stage(ids);
    backend_->replay(*graph);
    ASSERT_TRUE(backend_->synchronize().ok);
    const auto logits = step.logits();
    const auto tokens = step.tokens();
    step.stage(ids);
    step.run();
    ASSERT_TRUE(backend_->synchronize().ok);
    EXPECT_EQ(step.logits(), logits);
    EXPECT_EQ(step.tokens(), tokens);
  }
}

/// The second step is issued before anybody knows what the first one drew.
TEST_F(CudaGraphTest, DrawsFeedTheNextStepOnTheDevice) {
  TinyStep step(*backend_);
  step.stage({3, 4});
  step.run();
  ASSERT_TRUE(backend_->synchronize().ok);
  const auto first = step.tokens();
  step.stage({first[1], first[0]});
  step.run();
  ASSERT_TRUE(backend_->synchronize().ok);
  const auto expected = step.logits();

  int64_t device_us = 0;
  step.stage({3, 4});
  step.run();
  backend_->submit();
  step.stage({-2, -1});
  step.run();
  backend_->submit();
  EXPECT_TRUE(backend_->collect(device_us).ok);
  EXPECT_TRUE(backend_->collect(device_us).ok);
  EXPECT_EQ(step.logits(), expected);
}

TEST_F(CudaGraphTest, ARecordingWithoutStagedListsFailsAndSaysSo) {
  TinyStep step(*backend_);
  backend_->begin_recording();
  step.run();
  EXPECT_EQ(backend_->end_recording(), nullptr);
  EXPECT_FALSE(backend_->synchronize().ok);
}

}  // namespace
}  // namespace seraph
