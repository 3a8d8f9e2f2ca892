// Specs from the text of a config.json, for the tests of families and rope scalings.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/model/decoder.h"

namespace seraph {

inline const std::string kLlama =
    R"("architectures":["LlamaForCausalLM"],"model_type":"llama","vocab_size":1000,"hidden_size":256,
       "intermediate_size":512,"num_hidden_layers":4,"num_attention_heads":4)";

/// The spec of a config with these members; later ones replace earlier ones.
inline Result<DecoderSpec> read(const std::string& members) {
  const auto dir = std::filesystem::temp_directory_path() / "seraph_families_test";
  std::filesystem::create_directories(dir);
  std::ofstream(dir / "config.json") << "{" << members << "}";
  auto checkpoint = Checkpoint::open(dir, Checkpoint::Weights::kIgnored, false);
  if (!checkpoint.ok()) return std::move(checkpoint.error());
  return read_decoder_spec(**checkpoint);
}

inline Result<DecoderSpec> read_as(const char* architecture, const std::string& more) {
  return read(kLlama + R"(,"architectures":[")" + architecture + "\"]" + more);
}

/// The error of a Llama config with these changes, which must name each of `words`.
inline void expect_error(const std::string& changes, const std::vector<std::string>& words) {
  const auto spec = read(kLlama + "," + changes);
  ASSERT_FALSE(spec.ok()) << changes;
  for (const auto& word : words) {
    EXPECT_NE(spec.error().text().find(word), std::string::npos) << changes << ": " << spec.error().text();
  }
  EXPECT_NE(spec.error().message.find("config.json: "), std::string::npos) << spec.error().text();
  EXPECT_FALSE(spec.error().remedy.empty()) << spec.error().text();
}

}  // namespace seraph
