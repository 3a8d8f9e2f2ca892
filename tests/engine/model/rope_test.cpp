#include "engine/model/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace seraph {
namespace {

using Scaling = RopeSpec::Scaling;

void expect_frequencies(const RopeSpec& spec, const std::vector<std::pair<size_t, double>>& samples) {
  const auto inverse = rope_inverse_frequencies(spec, 0);
  ASSERT_EQ(inverse.size(), static_cast<size_t>(spec.rotary_dim / 2));
  for (const auto& [i, expected] : samples) EXPECT_NEAR(inverse[i], expected, 1e-6 * expected) << "pair " << i;
}

RopeSpec llama3(int32_t rotary_dim, double factor) {
  return {.scaling = Scaling::kLlama3,
          .rotary_dim = rotary_dim,
          .base = 5e5,
          .factor = factor,
          .original_positions = 8192,
          .low_freq_factor = 1.0,
          .high_freq_factor = 4.0};
}

TEST(Rope, Llama3KeepsFastPairsDividesSlowOnesAndBlendsBetween) {
  expect_frequencies(llama3(128, 8), {{28, .00321144599},
                                      {29, .00216657076},
                                      {30, .00137189357},
                                      {31, .000856751413},
                                      {32, .000524846161},
                                      {33, .00031269375},
                                      {34, .000178507813},
                                      {35, 9.55621235e-05},
                                      {63, 3.06892599e-07}});
  expect_frequencies(
      llama3(128, 32),
      {{29, .002118407}, {31, .000762541203}, {34, 9.7082878e-05}, {35, 2.38905309e-05}, {63, 7.67231497e-08}});
  expect_frequencies(
      llama3(64, 32),
      {{15, .00129054793}, {16, .000429556797}, {17, 9.7082878e-05}, {18, 1.94616382e-05}, {31, 9.41830673e-08}});
}

TEST(Rope, YarnRampsBetweenTheCorrectedPairs) {
  const RopeSpec spec = {.scaling = Scaling::kYarn,
                         .rotary_dim = 128,
                         .base = 1e6,
                         .factor = 4,
                         .original_positions = 32768,
                         .attention_factor = 1.1386294361};
  expect_frequencies(spec, {{23, .00697830585},
                            {24, .00537532149},
                            {31, .000802959728},
                            {39, 6.49039432e-05},
                            {40, 4.44569853e-05},
                            {63, 3.1023444e-07}});
}

TEST(Rope, LinearDividesEveryFrequency) {
  const RopeSpec plain = {.rotary_dim = 64};
  const RopeSpec linear = {.scaling = Scaling::kLinear, .rotary_dim = 64, .factor = 4};
  const auto a = rope_inverse_frequencies(plain, 0), b = rope_inverse_frequencies(linear, 0);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_FLOAT_EQ(b[i], a[i] / 4);
}

TEST(Rope, DynamicNtkRaisesTheBaseOnlyPastTheTrainedContext) {
  const RopeSpec spec = {.scaling = Scaling::kDynamicNtk, .rotary_dim = 64, .factor = 2, .original_positions = 64};
  const RopeSpec plain = {.rotary_dim = 64};
  EXPECT_EQ(rope_inverse_frequencies(spec, 64), rope_inverse_frequencies(plain, 0));
  // base * (2 * 150 / 64 - 1)^(64 / 62)
  const double base = 10000.0 * std::pow(2.0 * 150 / 64 - 1.0, 64.0 / 62.0);
  EXPECT_NEAR(rope_inverse_frequencies(spec, 150)[31], std::pow(base, -62.0 / 64.0), 1e-9);
}

struct Row {
  int32_t position = 0;
  int32_t prompt_tokens = 0;
};

std::vector<float> gather_row(RopeTable& table, const RopeSpec& spec, Row row) {
  const std::vector<int32_t> positions = {row.position}, prompts = {row.prompt_tokens}, begin = {0, 1};
  std::vector<float> out(static_cast<size_t>(spec.rotary_dim));
  table.gather({.positions = positions, .row_begin = begin, .prompt_tokens = prompts}, out.data());
  return out;
}

TEST(Rope, GathersCosThenSinScaledByTheAttentionFactor) {
  const RopeSpec spec = {.rotary_dim = 8, .attention_factor = 1.5};
  RopeTable table(spec);
  for (const int32_t position : {0, 1, 255, 256, 100000}) {
    const auto row = gather_row(table, spec, {position, 1});
    for (size_t i = 0; i < 4; ++i) {
      const double angle = std::pow(10000.0, -static_cast<double>(i) / 4) * position;
      const double tolerance = position < 300 ? 1e-4 : 2e-2;  // of a float32 angle
      EXPECT_NEAR(row[i], 1.5 * std::cos(angle), tolerance) << position;
      EXPECT_NEAR(row[4 + i], 1.5 * std::sin(angle), tolerance) << position;
    }
  }
}

TEST(Rope, DynamicRowsOfAPromptUseItsLengthAndGeneratedOnesTheirOwn) {
  const RopeSpec spec = {.scaling = Scaling::kDynamicNtk, .rotary_dim = 64, .factor = 2, .original_positions = 64};
  RopeTable table(spec);
  const auto expect_base_of = [&](Row row, int64_t total_tokens) {
    const auto got = gather_row(table, spec, row);
    const auto inverse = rope_inverse_frequencies(spec, total_tokens);
    for (size_t i = 0; i < inverse.size(); ++i) {
      EXPECT_FLOAT_EQ(got[i], static_cast<float>(std::cos(inverse[i] * static_cast<float>(row.position))));
    }
  };
  expect_base_of({3, 100}, 100);    // a prompt row knows how long its prompt is
  expect_base_of({99, 100}, 100);   // in every chunk
  expect_base_of({100, 100}, 101);  // the first generated token grows the base
  expect_base_of({70, 10}, 71);     // so does one after a short prompt
  expect_base_of({3, 10}, 64);
}

TEST(Rope, SaysWhenKeysDependOnThePromptsLength) {
  DecoderSpec spec;
  spec.rope = {.scaling = Scaling::kDynamicNtk, .rotary_dim = 64, .factor = 2, .original_positions = 64};
  EXPECT_FALSE(spec.keys_depend_on_prompt(64));
  EXPECT_TRUE(spec.keys_depend_on_prompt(65));
  spec.rope.scaling = Scaling::kYarn;
  EXPECT_FALSE(spec.keys_depend_on_prompt(65));
}

}  // namespace
}  // namespace seraph
