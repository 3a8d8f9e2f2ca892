// Sampling against all recorded truths (golden/sampling), on every instruction set of the machine.
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "tests/kernels/cpu/sampling_cases.h"

namespace seraph::cpu_test {
namespace {

std::string golden_folder() {
  const char* from_environment = std::getenv("SERAPH_GOLDEN_DIR");
  const std::string root = from_environment != nullptr ? from_environment : SERAPH_SOURCE_DIR "/../shared/golden";
  return root + "/sampling";
}

class SamplingGolden : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = golden_folder();
    if (!std::filesystem::exists(folder_)) GTEST_SKIP() << folder_ << " is absent";
  }
  void TearDown() override { std::cout << num_cases_ << " cases\n"; }

  std::string folder_;
  int64_t num_cases_ = 0;
};

TEST_F(SamplingGolden, process) {
  for (const std::string& isa : isa_levels()) num_cases_ += check_process(folder_, isa);
  EXPECT_GT(num_cases_, 0);
}

TEST_F(SamplingGolden, logprobs) {
  for (const std::string& isa : isa_levels()) num_cases_ += check_logprobs(folder_, isa);
  EXPECT_GT(num_cases_, 0);
}

TEST_F(SamplingGolden, philox_and_gumbel) {
  num_cases_ = check_philox(folder_) + check_gumbel(folder_);
  EXPECT_GT(num_cases_, 0);
}

TEST_F(SamplingGolden, draws) {
  for (const std::string& isa : isa_levels()) num_cases_ += check_draws(folder_, isa);
  EXPECT_GT(num_cases_, 0);
}

TEST_F(SamplingGolden, frequencies) {
  for (const std::string& isa : isa_levels()) num_cases_ += check_frequencies(folder_, isa);
  EXPECT_GT(num_cases_, 0);
}

}  // namespace
}  // namespace seraph::cpu_test
