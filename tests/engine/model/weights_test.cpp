#include "engine/model/weights.h"

#include "tests/engine/model/model_runner.h"

namespace seraph {
namespace {

const std::string kModels = SERAPH_TEST_DATA "/golden/models/";

TEST(Weights, RefusesWeightsThatDoNotFitInOneSentence) {
  const auto dir = std::filesystem::temp_directory_path() / "seraph_huge_model";
  std::filesystem::create_directories(dir);
  std::ofstream(dir / "config.json") << R"({"architectures":["LlamaForCausalLM"],"hidden_size":65536,"vocab_size":1000,
      "intermediate_size":1000000,"num_hidden_layers":1000,"num_attention_heads":512,"head_dim":128})";
  const ModelRunner runner(dir, DType::kBf16, true);
  EXPECT_NE(runner.error().find("the weights need at least"), std::string::npos) << runner.error();
}

TEST(Weights, NamesTheTensorThatTheFileLacks) {
  const auto dir = std::filesystem::temp_directory_path() / "seraph_no_head";
  std::filesystem::create_directories(dir);
  std::filesystem::copy(kModels + "qwen2-window/model.safetensors", dir / "model.safetensors",
                        std::filesystem::copy_options::overwrite_existing);
  std::ifstream in(kModels + "qwen2-window/config.json");
  std::stringstream text;
  text << in.rdbuf();
  Json config = Json::parse(text.str()).value();
  config.set("tie_word_embeddings", false);
  std::ofstream(dir / "config.json") << config.dump();
  EXPECT_NE(ModelRunner(dir, DType::kF32).error().find("lack lm_head.weight"), std::string::npos);
  config.set("tie_word_embeddings", true);
  config.set("num_hidden_layers", 4);
  std::ofstream(dir / "config.json") << config.dump();
  EXPECT_NE(ModelRunner(dir, DType::kF32).error().find("lacks the tensor model.layers.3.input_layernorm.weight"),
            std::string::npos);
  config.set("num_hidden_layers", 3);
  config.set("intermediate_size", 33);
  std::ofstream(dir / "config.json") << config.dump();
  const std::string shape = ModelRunner(dir, DType::kF32).error();
  EXPECT_NE(shape.find("mlp.gate_proj.weight has shape [32, 128], config.json asks for [33, 128]"), std::string::npos)
      << shape;
}

}  // namespace
}  // namespace seraph
