#include "tests/engine/checkpoint/checkpoint_folder.h"

namespace seraph {
namespace {

using GenerationDefaultsFile = CheckpointFolder;

TEST_F(GenerationDefaultsFile, ComeFromTheirFileAndThenFromTheConfig) {
  write("config.json", R"({"eos_token_id":[7,8],"bos_token_id":1,"pad_token_id":null})");
  auto defaults = read_generation_defaults(dir_);
  ASSERT_TRUE(defaults.ok()) << defaults.error().text();
  EXPECT_EQ(defaults->eos_token_ids, (std::vector<int32_t>{7, 8}));
  EXPECT_EQ(defaults->bos_token_id, 1);
  EXPECT_EQ(defaults->pad_token_id, -1);
  EXPECT_FALSE(defaults->has_temperature || defaults->has_top_p || defaults->has_top_k);
  write("generation_config.json",
        R"({"eos_token_id":2,"pad_token_id":3,"temperature":0.6,"top_p":1.0,"top_k":50,"min_p":0.1,
            "repetition_penalty":1.05,"max_new_tokens":512})");
  defaults = read_generation_defaults(dir_);
  ASSERT_TRUE(defaults.ok()) << defaults.error().text();
  EXPECT_EQ(defaults->eos_token_ids, std::vector<int32_t>{2});
  EXPECT_EQ(defaults->pad_token_id, 3);
  EXPECT_TRUE(defaults->has_temperature && defaults->has_min_p && defaults->has_repetition_penalty);
  EXPECT_FALSE(defaults->has_top_p || defaults->has_top_k) << "Hugging Face's own defaults are no choice";
  EXPECT_FLOAT_EQ(defaults->temperature, 0.6F);
  EXPECT_EQ(defaults->max_new_tokens, 512);
}

TEST_F(GenerationDefaultsFile, BrokenValuesAreNamed) {
  for (const char* text : {R"({"temperature":"hot"})", R"({"top_p":2})", R"({"top_k":1.5})", R"({"eos_token_id":"x"})",
                           R"({"eos_token_id":[1,null]})", R"({"repetition_penalty":0})", "{", "{\"top_p\":"}) {
    write("generation_config.json", text);
    const auto defaults = read_generation_defaults(dir_);
    ASSERT_FALSE(defaults.ok()) << text;
    EXPECT_NE(defaults.error().message.find("generation_config.json"), std::string::npos) << defaults.error().text();
  }
}

}  // namespace
}  // namespace seraph
