#include "daemon/commands/server_settings.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "daemon/commands/web_page.h"

namespace seraph {
namespace {

class ServerSettingsTest : public ::testing::Test {
 protected:
  ServerSettingsTest() : path_(::testing::TempDir() + "seraph_settings_" + std::to_string(getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~ServerSettingsTest() override { std::filesystem::remove_all(path_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name) << text;
    return path_ + "/" + name;
  }
  Result<ServerSettings> make(Verb verb, std::vector<std::string> args) const {
    SERAPH_ASSIGN_OR_RETURN(const Settings settings, resolve_server_settings(verb, Sources{std::move(args), nullptr}));
    return make_server_settings(verb, settings);
  }

  const std::string path_;
};

TEST_F(ServerSettingsTest, RunWithoutAModelServesTheDemo) {
  const auto settings = make(Verb::kRun, {});
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_TRUE(settings->is_demo);
  EXPECT_EQ(settings->api.foreign_names, ForeignNames::kPaths);
  EXPECT_EQ(settings->api.served_model_names, std::vector<std::string>{"model"});
  EXPECT_EQ(settings->engine.max_model_len_cap, 8192);
  EXPECT_EQ(settings->engine.dtype, "float16");
}

TEST_F(ServerSettingsTest, ARequestThatCouldNeverBeSubmittedIsNotAllowed) {
  const auto refused = make(Verb::kServe, {path_, "--max-n-sequences", "100", "--submit-ring-slots", "64"});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().text().find("--submit-ring-slots"), std::string::npos);
  EXPECT_TRUE(make(Verb::kServe, {path_, "--max-n-sequences", "64", "--submit-ring-slots", "64"}).ok());
}

TEST_F(ServerSettingsTest, TaskRunnerAndConvertAgree) {
  const ServerSettings embeds = make(Verb::kServe, {path_, "--task", "embed"}).value();
  EXPECT_EQ(embeds.engine.runner, "pooling");
  EXPECT_EQ(embeds.engine.convert, "embed");
  EXPECT_EQ(make(Verb::kServe, {path_, "--convert", "classify"})->engine.runner, "pooling");
  EXPECT_EQ(make(Verb::kServe, {path_, "--task", "generate"})->engine.runner, "generate");
  EXPECT_FALSE(make(Verb::kServe, {path_, "--task", "generate", "--runner", "pooling"}).ok());
  EXPECT_FALSE(make(Verb::kServe, {path_, "--runner", "generate", "--convert", "embed"}).ok());
  EXPECT_FALSE(make(Verb::kServe, {path_, "--pooler-config", "[1]"}).ok());
}

TEST_F(ServerSettingsTest, TheReportNamesTheDemoThatWouldBeServed) {
  const auto settings = resolve_server_settings(Verb::kRun, Sources{});
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_TRUE(std::filesystem::exists(settings->text("model") + "/config.json"));
  EXPECT_EQ(settings->at("model").where, "the demo checkpoint, for /data/model does not exist");
}

TEST_F(ServerSettingsTest, PresetsReachTheServer) {
  std::ofstream(path_ + "/ti_model_config.json") << R"({"MODEL_ID": "Meta-Llama-3-8B-Instruct"})";
  const auto settings = make(Verb::kRun, {"--model", path_});
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_EQ(settings->api.stop_token_ids, (std::vector<TokenId>{128001, 128009}));
  EXPECT_NE(settings->api.chat_template.find("<|eot_id|>"), std::string::npos);
  EXPECT_EQ(settings->api.served_model_names, std::vector<std::string>{"Meta-Llama-3-8B-Instruct"});
  EXPECT_FALSE(make(Verb::kRun, {"--model", path_, "--stop-token-ids", "5,x"}).ok());
  const auto serve = make(Verb::kServe, {path_});
  EXPECT_TRUE(serve.ok() && serve->api.chat_template.empty() && serve->api.stop_token_ids.empty());
}

TEST_F(ServerSettingsTest, AMissingModelIsAnError) {
  EXPECT_FALSE(make(Verb::kServe, {}).ok());
  EXPECT_FALSE(make(Verb::kServe, {"/no/such/folder"}).ok());
  EXPECT_FALSE(make(Verb::kRun, {"--model", "/no/such/folder"}).ok()) << "the demo is for those who asked for nothing";
}

TEST_F(ServerSettingsTest, NamesThatWereChosenAreTheOnlyOnes) {
  const auto run = make(Verb::kRun, {"--model", path_, "--served-model-name", "a", "b"});
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->api.foreign_names, ForeignNames::kNone);
  const auto serve = make(Verb::kServe, {path_});
  ASSERT_TRUE(serve.ok());
  EXPECT_EQ(serve->api.served_model_names, std::vector<std::string>{path_});
  EXPECT_EQ(serve->api.foreign_names, ForeignNames::kNone);
  EXPECT_EQ(serve->http.host, "127.0.0.1") << "nobody but this machine unless --host says so";
}

TEST_F(ServerSettingsTest, KeysComeFromFlagsAndFiles) {
  const std::string file = write("keys", "# comment\nk1\r\n\n  k2  \n");
  const auto settings = make(Verb::kServe, {path_, "--api-key", "a", "@" + file, "--api-key-file", file});
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_EQ(settings->http.api_keys, (std::vector<std::string>{"a", "k1", "k2", "k1", "k2"}));
  EXPECT_FALSE(make(Verb::kServe, {path_, "--api-key-file", write("empty", "\n")}).ok());
  EXPECT_FALSE(make(Verb::kServe, {path_, "--api-key", "@/no/such/file"}).ok());
  EXPECT_FALSE(make(Verb::kServe, {path_, "--api-key", ""}).ok()) << "an unset variable must not open the server";
}

TEST_F(ServerSettingsTest, TheLogShowsWhatItMay) {
  const auto plain = make(Verb::kServe, {path_, "--enable-log-requests", "--max-log-len", "50"});
  ASSERT_TRUE(plain.ok());
  EXPECT_TRUE(plain->http.access_log && plain->api.log_requests && plain->api.log_peers);
  EXPECT_EQ(plain->api.log_text_bytes_max, 50);
  const auto content = make(Verb::kServe, {path_, "--max-log-len", "50", "--log-redaction", "content"});
  EXPECT_EQ(content->api.log_text_bytes_max, 0);
  EXPECT_TRUE(content->api.log_peers);
  EXPECT_FALSE(make(Verb::kServe, {path_, "--log-redaction", "peers"})->api.log_peers);
  EXPECT_FALSE(make(Verb::kServe, {path_, "--disable-uvicorn-access-log"})->http.access_log);
  EXPECT_FALSE(make(Verb::kServe, {path_, "--enable-log-requests", "--disable-log-requests"})->api.log_requests);
  for (const char* level : {"trace", "debug", "info", "warning", "error", "critical", "WARNING"}) {
    EXPECT_TRUE(make(Verb::kServe, {path_, "--uvicorn-log-level", level}).ok()) << level;
  }
}

TEST_F(ServerSettingsTest, TheAccessLogLeavesOutWhatItIsTold) {
  std::ostringstream written;
  const auto before = spdlog::default_logger();
  auto sink = std::make_shared<spdlog::sinks::ostream_sink_st>(written);
  sink->set_pattern("%v");
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
  const auto log = [&](std::vector<std::string> args) {
    args.insert(args.begin(), path_);
    const auto settings = make(Verb::kServe, std::move(args));
    for (const char* path : {"/health", "/v1/models"}) settings->http.access_log({"1.2.3.4:5", "GET", path, 200});
    const std::string text = written.str();
    written.str("");
    return text;
  };
  EXPECT_EQ(log({}), "1.2.3.4:5 - \"GET /health\" 200\n1.2.3.4:5 - \"GET /v1/models\" 200\n");
  EXPECT_EQ(log({"--disable-access-log-for-endpoints", "/health,/metrics", "--log-redaction", "peers"}),
            "- - \"GET /v1/models\" 200\n");
  spdlog::set_default_logger(before);
}

TEST_F(ServerSettingsTest, NetworkFlagsReachTheServer) {
  const auto settings = make(Verb::kServe, {path_, "--ssl-certfile", "c", "--ssl-keyfile", "k", "--ssl-ca-certs", "a",
                                            "--ssl-cert-reqs", "2", "--allowed-origins", R"(["http://a", "http://b"])",
                                            "--allowed-methods", R"(["GET"])", "--allowed-headers", "x-a,x-b",
                                            "--allow-credentials", "--root-path", "/r", "--enable-request-id-headers"});
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  const HttpOptions& http = settings->http;
  EXPECT_EQ(http.ssl_certfile + http.ssl_keyfile + http.ssl_ca_certs, "cka");
  EXPECT_EQ(http.ssl_cert_reqs, 2);
  EXPECT_EQ(http.allowed_origins, (std::vector<std::string>{"http://a", "http://b"}));
  EXPECT_EQ(http.allowed_methods, std::vector<std::string>{"GET"});
  EXPECT_EQ(http.allowed_headers, (std::vector<std::string>{"x-a", "x-b"}));
  EXPECT_TRUE(http.allow_credentials && http.request_id_headers && http.root_path == "/r");
  EXPECT_FALSE(make(Verb::kServe, {path_, "--ssl-cert-reqs", "3"}).ok());
}

TEST_F(ServerSettingsTest, RotaryFlagsSpeakTheDialectOfTheCheckpoint) {
  const std::vector<std::string> args = {
      path_, "--rope-scaling.rope_type", "yarn", "--rope-scaling.factor", "4.0", "--rope-theta", "5000"};
  const auto overrides = [&](const std::string& config) {
    write("config.json", config);
    const auto settings = make(Verb::kServe, args);
    return settings.ok() ? settings->engine.config_overrides.dump() : settings.error().text();
  };
  EXPECT_EQ(overrides(R"({"rope_theta": 1.0})"),
            R"({"rope_theta":5000.0,"rope_scaling":{"rope_type":"yarn","factor":4.0}})");
  EXPECT_EQ(overrides(R"({"rope_parameters": {"rope_theta": 1.0}})"),
            R"({"rope_parameters":{"rope_type":"yarn","factor":4.0,"rope_theta":5000.0}})");
  EXPECT_TRUE(make(Verb::kServe, {path_})->engine.config_overrides.is_null());
}

TEST_F(ServerSettingsTest, TemplatesAreFilesOrTexts) {
  EXPECT_EQ(read_chat_template("{{ x }}").value(), "{{ x }}");
  EXPECT_EQ(read_chat_template(write("t.jinja", "from file")).value(), "from file");
  EXPECT_FALSE(read_chat_template("nofile").ok());
}

TEST_F(ServerSettingsTest, SamplingDefaultsMerge) {
  write("generation_config.json", R"({"temperature": 0.7, "top_k": 20, "eos_token_id": [1, 2]})");
  const auto settings = make(Verb::kServe, {path_, "--override-generation-config", R"({"temperature": 0.1})"});
  ASSERT_TRUE(settings.ok()) << settings.error().text();
  EXPECT_DOUBLE_EQ(settings->api.sampling.temperature.value(), 0.1);
  EXPECT_EQ(settings->api.sampling.top_k.value(), 20);
  EXPECT_FALSE(settings->api.sampling.top_p.has_value());
  const auto none = make(Verb::kServe, {path_, "--generation-config", "vllm"});
  EXPECT_FALSE(none->api.sampling.temperature.has_value());
  EXPECT_FALSE(make(Verb::kServe, {path_, "--override-generation-config", R"({"temperature": "hot"})"}).ok());
  EXPECT_FALSE(make(Verb::kServe, {path_, "--generation-config", "/no/such"}).ok());
}

TEST_F(ServerSettingsTest, BadSamplingDefaultsMatterOnlyWhereTheyAreUsed) {
  write("generation_config.json", R"({"temperature": "hot", "eos_token_id": 2})");
  const auto used = make(Verb::kServe, {path_});
  ASSERT_FALSE(used.ok());
  EXPECT_NE(used.error().text().find("--generation-config vllm"), std::string::npos) << used.error().text();
  const auto unused = make(Verb::kServe, {path_, "--generation-config", "vllm"});
  ASSERT_TRUE(unused.ok()) << unused.error().text();
  EXPECT_EQ(unused->engine.generation_config_dir, path_) << "its end ids still count";
}

TEST(WebPage, IsAtTheRootWithItsFiles) {
  Router router;
  add_web_page(router);
  EXPECT_NE(router.find("GET", "/").handler, nullptr);
  EXPECT_EQ(router.find("GET", "/").access, Access::kOpen);
  EXPECT_NE(router.find("GET", "/chat.js").handler, nullptr);
  EXPECT_NE(router.find("GET", "/style.css").handler, nullptr);
}

}  // namespace
}  // namespace seraph
