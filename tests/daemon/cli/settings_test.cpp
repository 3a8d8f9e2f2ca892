#include "daemon/cli/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

namespace seraph {
namespace {

using Words = std::vector<std::string>;
using Variables = std::map<std::string, std::string>;

Result<Settings> resolve(Verb verb, Words args, Variables variables = {}) {
  Sources sources;
  sources.args = std::move(args);
  sources.environment = [variables](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  return resolve_settings(server_options(verb), verb, sources);
}

std::string error_of(Verb verb, Words args, Variables variables = {}) {
  auto result = resolve(verb, std::move(args), std::move(variables));
  return result.ok() ? "no error" : result.error().text();
}

class TemporaryFolder : public ::testing::Test {
 protected:
  TemporaryFolder() : path_(::testing::TempDir() + "seraph_cli_" + std::to_string(getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() override { std::filesystem::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(path_ + "/" + name) << text;
    return path_ + "/" + name;
  }
  const std::string path_;
};

TEST(Settings, BooleansTakeEverySpelling) {
  for (const Words& args : std::vector<Words>{{"--enable-log-requests"},
                                              {"--enable-log-requests=true"},
                                              {"--enable-log-requests=On"},
                                              {"--enable-log-requests", "1"},
                                              {"--enable-log-requests", "YES"},
                                              {"--enable_log_requests", "true"},
                                              {"--no-enable-log-requests", "false"}}) {
    auto settings = resolve(Verb::kRun, args);
    ASSERT_TRUE(settings.ok()) << args[0];
    EXPECT_TRUE(settings->flag("enable-log-requests")) << args[0];
  }
  for (const Words& args : std::vector<Words>{{"--enable-prefix-caching", "false"},
                                              {"--enable-prefix-caching=0"},
                                              {"--no-enable-prefix-caching"},
                                              {"--enable-prefix-caching", "off"}}) {
    auto settings = resolve(Verb::kRun, args);
    ASSERT_TRUE(settings.ok()) << args[0];
    EXPECT_FALSE(settings->flag("enable-prefix-caching")) << args[0];
  }
  EXPECT_NE(error_of(Verb::kRun, {"--enable-prefix-caching=maybe"}).find("invalid boolean value 'maybe'"),
            std::string::npos);
}

TEST(Settings, ASwitchLeavesTheModelToItsPlace) {
  auto settings = resolve(Verb::kServe, {"--enforce-eager", "/data/m"});
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->text("model"), "/data/m");
}

TEST(Settings, NumbersTakeHumanForms) {
  const std::map<std::string, int64_t> forms = {{"100", 100},    {"8k", 8000}, {"8K", 8192}, {"25.6k", 25600},
                                                {"2M", 2097152}, {"auto", -1}, {"-1", -1},   {" 9", 9}};
  for (const auto& [text, value] : forms) {
    auto settings = resolve(Verb::kServe, {"m", "--max-model-len", text});
    ASSERT_TRUE(settings.ok()) << text;
    EXPECT_EQ(settings->number("max-model-len"), value) << text;
  }
  for (const char* text : {"abc", "1e3", "0x10", "1.5K", "", "k", "99999999999999999999", "5 5"}) {
    EXPECT_FALSE(resolve(Verb::kServe, {"m", "--max-model-len", text}).ok()) << text;
  }
}

TEST(Settings, BytesTakeUnits) {
  const std::map<std::string, int64_t> forms = {{"1G", 1LL << 30},     {"1g", 1'000'000'000},  {"4GiB", 4LL << 30},
                                                {"1.5GiB", 3LL << 29}, {"512MB", 512LL << 20}, {"77", 77}};
  for (const auto& [text, value] : forms) {
    auto settings = resolve(Verb::kServe, {"m", "--kv-cache-memory", text});
    ASSERT_TRUE(settings.ok()) << text;
    EXPECT_EQ(settings->number("kv-cache-memory"), value) << text;
  }
}

TEST(Settings, TheStrongerSourceWins) {
  const Variables variables = {{"MAX_MODEL_LEN", "300"}, {"DTYPE", "bfloat16"}, {"MODEL", ""}};
  auto settings = resolve(Verb::kRun, {"--max-model-len", "400"}, variables);
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_EQ(settings->number("max-model-len"), 400);
  EXPECT_EQ(settings->at("max-model-len").origin, Origin::kCommandLine);
  EXPECT_EQ(settings->text("dtype"), "bfloat16");
  EXPECT_EQ(settings->at("dtype").where, "environment DTYPE");
  EXPECT_EQ(settings->text("model"), "/data/model") << "an empty variable is not a value";
  EXPECT_EQ(settings->at("port").origin, Origin::kDefault);
}

TEST(Settings, OnlyRunReadsTheDeploymentsVariables) {
  auto serve = resolve(Verb::kServe, {"m"}, {{"DTYPE", "bfloat16"}, {"VLLM_API_KEY", "k"}});
  ASSERT_TRUE(serve.ok());
  EXPECT_EQ(serve->text("dtype"), "auto");
  EXPECT_EQ(serve->list("api-key"), Words{"k"}) << "vLLM's own variables count for both";
  EXPECT_EQ(serve->number("port"), 8000);
}

TEST(Settings, RunHasItsOwnDefaults) {
  auto settings = resolve(Verb::kRun, {});
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->number("port"), 8501);
  EXPECT_EQ(settings->text("dtype"), "float16");
  EXPECT_EQ(settings->number("max-model-len-cap"), 8192);
  EXPECT_EQ(settings->list("served-model-name"), Words{"model"});
  EXPECT_TRUE(settings->flag("enable-prefix-caching"));
}

TEST(Settings, ErrorsNameTheNearestOption) {
  EXPECT_NE(error_of(Verb::kRun, {"--max-modellen", "5"}).find("did you mean --max-model-len?"), std::string::npos);
  EXPECT_EQ(error_of(Verb::kServe, {"m", "--nonsense", "1"}).find("unrecognized arguments: --nonsense 1"), 0U);
  EXPECT_NE(error_of(Verb::kServe, {"m", "extra"}).find("unrecognized arguments: extra"), std::string::npos);
  EXPECT_NE(error_of(Verb::kServe, {"m", "--port"}).find("--port: expected one argument"), std::string::npos);
  EXPECT_NE(error_of(Verb::kServe, {"m", "--port", "x"}).find("invalid int value: 'x'"), std::string::npos);
  EXPECT_NE(error_of(Verb::kServe, {"m", "--port", "70000"}).find("must be from 0 to 65535"), std::string::npos);
  EXPECT_NE(error_of(Verb::kServe, {"m", "--submit-ring-slots", "2000000001"})
                .find("2000000001 is out of range, it must be from 16 to 1048576"),
            std::string::npos)
      << "a limit is told to the digit";
  EXPECT_NE(error_of(Verb::kServe, {"m", "--block-size", "512"}).find("must be from 8 to 256"), std::string::npos)
      << "what the engine refuses, `check` refuses";
  EXPECT_NE(error_of(Verb::kServe, {"m", "--max", "3"}).find("ambiguous option: --max could match"), std::string::npos);
  EXPECT_NE(error_of(Verb::kServe, {"m", "--dtype", "int8"}).find("invalid choice: 'int8'"), std::string::npos);
  EXPECT_NE(error_of(Verb::kRun, {}, {{"MAX_MODEL_LEN", "x"}}).find("environment MAX_MODEL_LEN"), std::string::npos);
}

TEST(Settings, PrefixesAndShortFormsFindTheirOption) {
  auto settings = resolve(Verb::kServe, {"m", "--gpu-mem", "0.5", "-tp", "1", "-O3", "-O=2", "-O", "1"});
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_DOUBLE_EQ(settings->real("gpu-memory-utilization"), 0.5);
  EXPECT_NE(error_of(Verb::kServe, {"m", "-tp2"}), "no error");
}

TEST(Settings, WhatWouldChangeAnswersIsRefused) {
  EXPECT_NE(error_of(Verb::kServe, {"m", "--quantization", "fp8"}).find("--quantization fp8 cannot be used here"),
            std::string::npos);
  EXPECT_NE(error_of(Verb::kServe, {"m", "-tp", "2"}).find("--tensor-parallel-size 2"), std::string::npos);
  EXPECT_NE(error_of(Verb::kServe, {"m", "--qlora-adapter-name-or-path", "/p"}), "no error");
  EXPECT_NE(error_of(Verb::kServe, {"m", "--default-mm-loras.a.b", "1"}), "no error");
  EXPECT_EQ(error_of(Verb::kServe, {"m", "-tp", "1", "--enable-lora=false", "--rope-scaling", "{}"}), "no error");
}

TEST(Settings, WhatChangesNothingGivesOneNote) {
  auto settings = resolve(Verb::kServe, {"m", "--worker-use-ray", "--worker-use-ray", "--max-seq-len-to-capture", "4"});
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_EQ(settings->notes(), (Words{"--worker-use-ray (command line) has no effect: one process serves and computes",
                                      "--max-seq-len-to-capture (command line) has no effect: every size of step is "
                                      "recorded when it comes for the first time"}));
}

struct RunDefault {
  const char* option;
  const char* variable;  // "": none
  const char* value;     // what `run` takes when nobody says anything
  const char* other;     // another value, given by flag and by variable
};

TEST(Settings, RunsTableOfDefaultsAndVariables) {
  constexpr RunDefault kRows[] = {
      {"max-model-len-cap", "", "8192", "16384"},
      {"max-model-len", "MAX_MODEL_LEN", "not set", "32768"},
      {"dtype", "DTYPE", "float16", "bfloat16"},
      {"enable-prefix-caching", "ENABLE_PREFIX_CACHING", "true", "false"},
      {"trust-remote-code", "TRUST_REMOTE_CODE", "true", "false"},
      {"model", "MODEL", "/data/model", "/data/other"},
      {"port", "", "8501", "9000"},
      {"use-v2-block-manager", "", "true", "false"},
      {"tool-call-parser", "", "auto", "hermes"},
      {"enable-auto-tool-choice", "", "true", "false"},
      {"gpu-memory-utilization", "GPU_MEMORY_UTILIZATION", "0.9", "0.95"},
      {"enforce-eager", "ENFORCE_EAGER", "false", "true"},
      {"served-model-name", "MODEL_ID", "model", "Qwen2.5-7B-Instruct"},
      {"conv-template", "CONV_TEMPLATE", "not set", "llama-3"},
      {"disable-mem-cache", "DISABLE_MEM_CACHE", "false", "true"},
      {"use-lookahead", "USE_LOOKAHEAD", "false", "true"},
      {"num-speculative-tokens", "NUM_SPECULATIVE_TOKENS", "6", "4"},
  };
  const auto value_of = [](const Result<Settings>& settings, const char* name) {
    return settings.ok() ? setting_text(*settings->table().find(name), settings->at(name)) : settings.error().text();
  };
  for (const RunDefault& row : kRows) {
    EXPECT_EQ(value_of(resolve(Verb::kRun, {}), row.option), row.value) << row.option;
    EXPECT_EQ(value_of(resolve(Verb::kRun, {option_flag(*server_options(Verb::kRun).find(row.option)), row.other}),
                       row.option),
              row.other);
    if (*row.variable == '\0') continue;
    EXPECT_EQ(value_of(resolve(Verb::kRun, {}, {{row.variable, row.other}}), row.option), row.other) << row.variable;
    EXPECT_EQ(value_of(resolve(Verb::kServe, {"m"}, {{row.variable, row.other}}), row.option),
              value_of(resolve(Verb::kServe, {"m"}), row.option))
        << row.variable << " belongs to run alone";
  }
  // Spellings of the page: "0" and "1" of USE_LOOKAHEAD, and variables of what this build refuses.
  EXPECT_EQ(value_of(resolve(Verb::kRun, {}, {{"USE_LOOKAHEAD", "1"}}), "use-lookahead"), "true");
  EXPECT_EQ(value_of(resolve(Verb::kRun, {}, {{"TP", "1"}}), "tensor-parallel-size"), "1");
  EXPECT_NE(error_of(Verb::kRun, {}, {{"QUANTIZATION", "fp8"}}).find("environment QUANTIZATION"), std::string::npos);
}

TEST(Settings, TheRecommendedScenariosStartOrSayWhatThisBuildLacks) {
  const Words smallest = {"--quantization",  "ifq_nf4", "--enforce-eager", "--gpu-memory-utilization", "0.95",
                          "--max-model-len", "2048"};
  const Words production = {"--dtype",
                            "auto",
                            "--quantization",
                            "fp8",
                            "--use-lookahead",
                            "--num-speculative-tokens",
                            "4",
                            "--max-model-len",
                            "32768",
                            "--enable-prefix-caching",
                            "--disable-log-requests",
                            "--api-keys",
                            "mock_api_key",
                            "--served-model-name",
                            "model_123"};
  const Words throughput = {"/data/model",
                            "--port",
                            "8501",
                            "-tp",
                            "2",
                            "--quantization",
                            "fp8",
                            "--max-model-len",
                            "32768",
                            "--enable-prefix-caching",
                            "--disable-log-requests",
                            "--served-model-name",
                            "model_123",
                            "--num-scheduler-steps",
                            "8"};
  const auto without = [](Words args, const std::string& flag) {
    const auto at = std::find(args.begin(), args.end(), flag);
    if (at != args.end()) args.erase(at, at + 2);
    return args;
  };
  for (const auto& [verb, args] :
       {std::pair(Verb::kRun, smallest), std::pair(Verb::kRun, production), std::pair(Verb::kServe, throughput)}) {
    const std::string answer = error_of(verb, args);
    EXPECT_TRUE(answer == "no error" || answer.find("not in this build yet") != std::string::npos) << answer;
    EXPECT_EQ(error_of(verb, without(without(args, "--quantization"), "-tp")), "no error");
  }
  auto settings = resolve(Verb::kRun, without(production, "--quantization"));
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_EQ(settings->list("api-keys"), Words{"mock_api_key"});
  EXPECT_EQ(settings->list("served-model-name"), Words{"model_123"});
}

TEST(Settings, KeysAddUpAndOnlyTheListOfThemIsCutAtCommas) {
  auto settings = resolve(Verb::kServe, {"m", "--api-key", "a,b", "c", "--api-keys", "d,e", "f", "--api-key=g"});
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->list("api-key"), (Words{"a,b", "c", "g"})) << "half a key must not open the server";
  EXPECT_EQ(settings->list("api-keys"), (Words{"d", "e", "f"}));
  EXPECT_EQ(setting_text(*settings->table().find("api-key"), settings->at("api-key")), "3 keys");
  for (const char* value : {"a,,b", ",a", "a,"}) {
    EXPECT_NE(error_of(Verb::kServe, {"m", "--api-keys", value}).find("empty"), std::string::npos) << value;
  }
  EXPECT_NE(error_of(Verb::kServe, {"m", "--api-key", "a", ""}).find("empty"), std::string::npos);
}

TEST(Settings, MembersOfJsonOptionsMerge) {
  auto settings = resolve(
      Verb::kServe, {"m", "--override-generation-config.temperature", "0.1", "--override-generation-config.top_p=0.5"});
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_EQ(settings->json("override-generation-config").dump(), R"({"temperature":0.1,"top_p":0.5})");
}

TEST(Settings, EmptyAndNoneMeanNotSet) {
  for (const char* text : {"", "None"}) {
    auto settings = resolve(Verb::kServe, {"m", "--chat-template", text});
    ASSERT_TRUE(settings.ok());
    EXPECT_FALSE(settings->at("chat-template").set);
  }
}

TEST_F(TemporaryFolder, ConfigFilesStandBetweenEnvironmentAndModelFolder) {
  write("ti_model_config.json", R"({"MODEL_ID": "from-model", "max_model_len": 77, "BLOCK_SIZE": 32, "color": 1})");
  const std::string config =
      write("a.yaml", "max_model_len: 100  # tokens\nserved-model-name: [a, \"b c\"]\nworker-use-ray: true\nport: 9\n");
  auto settings = resolve(Verb::kRun, {"--config", config, "--model", path_, "--port", "10"}, {{"MODEL_ID", "env"}});
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_EQ(settings->number("max-model-len"), 100);
  EXPECT_EQ(settings->at("max-model-len").origin, Origin::kConfigFile);
  EXPECT_EQ(settings->number("port"), 10);
  EXPECT_EQ(settings->list("served-model-name"), Words{"env"});
  EXPECT_EQ(settings->number("block-size"), 32);
  EXPECT_EQ(settings->at("block-size").where, "ti_model_config.json");
  EXPECT_EQ(settings->notes().size(), 3U) << "worker-use-ray, a key that means nothing, and no preset";
}

TEST_F(TemporaryFolder, BrokenConfigFilesAreErrors) {
  EXPECT_NE(error_of(Verb::kServe, {"m", "--config", write("b.yaml", "nonsense: 1\n")}).find("'nonsense'"),
            std::string::npos);
  EXPECT_NE(error_of(Verb::kServe, {"m", "--config", write("c.yaml", "port: [\n")}).find("line 2"), std::string::npos);
  EXPECT_NE(error_of(Verb::kServe, {"m", "--config", write("d.yaml", "- port\n")}).find("mapping"), std::string::npos);
  EXPECT_NE(error_of(Verb::kServe, {"m", "--config", write("e.txt", "port: 9\n")}).find(".yaml"), std::string::npos);
  EXPECT_NE(error_of(Verb::kServe, {"m", "--config=/nonexistent.yaml"}).find("cannot be read"), std::string::npos);
  EXPECT_NE(error_of(Verb::kServe, {"m", "--config", write("f.yaml", "port: many\n")}).find("f.yaml"),
            std::string::npos);
}

TEST(Settings, TheExampleFileExplainsEveryOptionAndIsValid) {
  std::ifstream file(SERAPH_SOURCE_DIR "/config/seraph.yaml");
  ASSERT_TRUE(file);
  std::string set;  // the file with every key in force
  for (std::string line; std::getline(file, line);) {
    if (line.size() > 1 && line[0] == '#' && line[1] != ' ') set += line.substr(1) + "\n";
  }
  const OptionTable table = server_options(Verb::kServe);
  const auto assignments = parse_config_text(table, set, "seraph.yaml");
  ASSERT_TRUE(assignments.ok()) << assignments.error().text();
  Settings settings(table);
  for (const Assignment& assignment : *assignments) {
    const Status status = settings.assign(assignment);
    EXPECT_TRUE(status.ok()) << status.error().text();
  }
  for (const OptionRow* row : table.rows) {
    if (row->use != OptionUse::kActs || std::string(row->name) == "config") continue;
    EXPECT_NE(("\n" + set).find("\n" + std::string(row->name) + ": "), std::string::npos) << row->name;
  }
}

TEST(Settings, EveryOptionHasOneNameAndAHelpText) {
  const OptionTable table = server_options(Verb::kRun);
  std::map<std::string, int> seen;
  for (const OptionRow* row : table.rows) {
    EXPECT_EQ(seen[row->name]++, 0) << row->name;
    EXPECT_GT(std::string(row->help).size(), 3U) << row->name;
    EXPECT_EQ(std::string(row->help).back(), '.') << row->name;
    EXPECT_EQ(table.find(row->name), row);
    for (const char* value : {row->serve_default, row->run_default}) {
      if (value == nullptr || *value == '\0') continue;
      EXPECT_TRUE(parse_option_value(*row, {value}).ok()) << row->name << " " << value;
    }
  }
}

}  // namespace
}  // namespace seraph
