#include "tests/engine/checkpoint/checkpoint_folder.h"

namespace seraph {
namespace {

using EndIds = CheckpointFolder;

TEST_F(EndIds, ComeFromTheGenerationConfigAndElseFromTheConfig) {
  EXPECT_EQ(read_end_ids(dir_, dir_).value(), std::vector<int32_t>{}) << "nobody names one";
  write("config.json", R"({"eos_token_id":[7,8]})");
  EXPECT_EQ(read_end_ids(dir_, dir_).value(), (std::vector<int32_t>{7, 8}));
  write("generation_config.json", R"({"eos_token_id":2})");
  EXPECT_EQ(read_end_ids(dir_, dir_).value(), std::vector<int32_t>{2});
  EXPECT_EQ(read_end_ids(dir_, dir_ / "other").value(), (std::vector<int32_t>{7, 8})) << "another folder was named";
  write("generation_config.json", R"({"eos_token_id":[-1]})");
  EXPECT_EQ(read_end_ids(dir_, dir_).value(), (std::vector<int32_t>{7, 8})) << "-1 is no id";
}

TEST_F(EndIds, BrokenOnesAreNamed) {
  for (const char* text : {R"({"eos_token_id":"x"})", R"({"eos_token_id":[1,null]})", R"({"eos_token_id":1.5})", "{"}) {
    write("generation_config.json", text);
    const auto ids = read_end_ids(dir_, dir_);
    ASSERT_FALSE(ids.ok()) << text;
    EXPECT_NE(ids.error().message.find("generation_config.json"), std::string::npos) << ids.error().text();
  }
}

TEST_F(EndIds, DoNotMindWhatTheFileSaysAboutSampling) {
  write("generation_config.json", R"({"eos_token_id":2,"temperature":"hot","top_p":2,"top_k":1.5})");
  EXPECT_EQ(read_end_ids(dir_, dir_).value(), std::vector<int32_t>{2});
}

}  // namespace
}  // namespace seraph
