#include "tests/engine/model/config_text.h"

namespace seraph {
namespace {

TEST(RopeConfig, BothRopeDialectsMeanTheSame) {
  const char* scalings[] = {
      R"("factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64)"};
  for (const char* values : scalings) {
    const std::string v = values;
    for (const auto& config :
         {R"(,"rope_theta":5e5,"rope_scaling":{"type":"llama3",)" + v + "}",
          R"(,"rope_theta":5e5,"rope_scaling":{"rope_type":"llama3","type":"yarn",)" + v + "}",
          R"(,"rope_parameters":{"rope_theta":5e5,"rope_type":"llama3",)" + v + "}",
          R"(,"rope_theta":5e5,"rope_scaling":null,"rope_parameters":{"rope_type":"llama3",)" + v + "}"}) {
      const auto spec = read(kLlama + config);
      ASSERT_TRUE(spec.ok()) << spec.error().text();
      EXPECT_EQ(spec->rope.scaling, RopeSpec::Scaling::kLlama3);
      EXPECT_EQ(spec->rope.base, 5e5);
      EXPECT_EQ(spec->rope.factor, 8.0);
      EXPECT_EQ(spec->rope.original_positions, 64.0);
      EXPECT_EQ(spec->max_positions, 2048);
    }
  }
}

TEST(RopeConfig, YarnTakesItsFactorAsGivenAndReachesFactorTimesTheTrainedContext) {
  const auto spec = read(kLlama + R"(,"max_position_embeddings":32,"rope_scaling":
      {"type":"yarn","factor":4.0,"original_max_position_embeddings":32})");
  ASSERT_TRUE(spec.ok()) << spec.error().text();
  EXPECT_EQ(spec->rope.factor, 4.0);
  EXPECT_EQ(spec->max_positions, 128);
  EXPECT_NEAR(spec->rope.attention_factor, 1.1386294361, 1e-9);
  const auto ratio = read(kLlama + R"(,"max_position_embeddings":256,"rope_scaling":
      {"type":"yarn","factor":null,"original_max_position_embeddings":32,"mscale":0.707,"mscale_all_dim":0.707})");
  ASSERT_TRUE(ratio.ok()) << ratio.error().text();
  EXPECT_EQ(ratio->rope.factor, 8.0);
  EXPECT_EQ(ratio->rope.attention_factor, 1.0);
}

TEST(RopeConfig, DynamicAndLinearScalingStretchTheContext) {
  const auto spec = read(kLlama + R"(,"max_position_embeddings":64,"rope_scaling":{"type":"dynamic","factor":2.0})");
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->rope.original_positions, 64.0);
  EXPECT_EQ(spec->max_positions, 128);
  EXPECT_EQ(read(kLlama + R"(,"rope_scaling":{"type":"linear","factor":4})")->max_positions, 8192);
}

TEST(RopeConfig, BrokenRopeScalingsAreNamed) {
  expect_error(R"("rope_scaling":{"type":"longrope"})", {"rope_scaling.rope_type", "longrope", "yarn"});
  expect_error(R"("rope_scaling":[1])", {"rope_scaling", "object"});
  expect_error(R"("rope_scaling":{"type":"linear"})", {"rope_scaling.factor", "missing"});
  expect_error(R"("rope_parameters":{"rope_type":"linear","factor":0})", {"rope_parameters.factor"});
  expect_error(R"("rope_scaling":{"type":"llama3","factor":8})", {"low_freq_factor", "missing"});
  expect_error(R"("rope_scaling":{"type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4})",
               {"high_freq_factor"});
  expect_error(R"("rope_scaling":{"type":"dynamic","factor":0.5})", {"factor"});
  expect_error(R"("rope_scaling":{"type":"yarn","factor":4,"beta_fast":1,"beta_slow":2})", {"beta_fast"});
  expect_error(R"("max_position_embeddings":100000000,"rope_scaling":{"type":"linear","factor":1000})",
               {"max_position_embeddings"});
  expect_error(R"("rope_parameters":{"full_attention":{"rope_type":"default"}})", {"layer type"});
}

}  // namespace
}  // namespace seraph
