#include "daemon/commands/server_process.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "daemon/commands/bench_load.h"

namespace seraph {
namespace {

ServerSettings demo_settings() {
  ServerSettings settings;
  settings.engine.model_dir = SERAPH_SOURCE_DIR "/config/demo";
  settings.engine.dtype = "float32";
  settings.engine.kv_cache_bytes = 16 << 20;
  settings.engine.threads = 1;
  settings.engine.pin_threads = false;
  settings.tokenizer_dir = settings.engine.model_dir;
  settings.http.port = 0;
  settings.log_stats = false;
  return settings;
}

TEST(ServerProcess, ServesUntilASignalAndEndsWithZero) {
  ServerSettings settings = demo_settings();
  settings.shutdown_timeout_s = 600;  // the stream below ends by itself, however slow the build
  ServerProcess process(settings);
  const Status status = process.start();
  ASSERT_TRUE(status.ok()) << status.error().text();
  const auto target = parse_http_url(process.address());
  ASSERT_TRUE(target.ok());
  std::thread client([&] {
    const auto page = http_get(*target, "/", "");
    EXPECT_TRUE(page.ok() && page->find("<!doctype html>") == 0) << "the page is at /";
    LoadPlan plan{.target = *target, .endpoint = "/v1/chat/completions"};
    plan.bodies = {R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":600,"ignore_eos":true,"stream":true})"};
    plan.starts_us = {0};
    std::thread stop([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));  // while the stream below runs, or just after it
      kill(getpid(), SIGTERM);
    });
    const auto samples = run_load(plan);
    EXPECT_TRUE(samples.ok() && samples->front().ok) << "a running request finishes: " << samples->front().error;
    stop.join();
  });
  EXPECT_EQ(process.run(), 0);
  client.join();
}

TEST(ServerProcess, ARequestThatWaitsForASleepingServerDoesNotDelayItsEnd) {
  ServerSettings settings = demo_settings();
  settings.api.enable_sleep_mode = true;
  settings.shutdown_timeout_s = 60;
  ServerProcess process(settings);
  ASSERT_TRUE(process.start().ok());
  const auto target = parse_http_url(process.address());
  MonotonicUs signal_us = 0;
  std::thread client([&] {
    LoadPlan sleep{.target = *target, .endpoint = "/sleep"};
    sleep.bodies = {"{}"};
    sleep.starts_us = {0};
    (void)run_load(sleep);
    std::thread stop([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));  // the request below has arrived
      signal_us = now_us();
      kill(getpid(), SIGTERM);
    });
    LoadPlan plan{.target = *target, .endpoint = "/v1/completions"};
    plan.bodies = {R"({"prompt":"hi","max_tokens":4,"stream":true})"};
    plan.starts_us = {0};
    const auto samples = run_load(plan);
    EXPECT_FALSE(samples.ok() && samples->front().ok) << "it cannot be answered";
    stop.join();
  });
  EXPECT_EQ(process.run(), 0);
  EXPECT_LT(now_us() - signal_us, 30'000'000);
  client.join();
}

TEST(ServerProcess, ABrokenStartLeavesNothingRunning) {
  ServerSettings settings = demo_settings();
  settings.engine.model_dir = "/no/such/folder";
  {
    ServerProcess process(settings);
    EXPECT_FALSE(process.start().ok());
  }
  settings = demo_settings();
  settings.api.chat_template = "{% if %}";
  ServerProcess process(settings);
  EXPECT_FALSE(process.start().ok());
}

TEST(ServerProcess, ATakenPortIsKnownBeforeLoading) {
  ServerProcess first(demo_settings());
  ASSERT_TRUE(first.start().ok());
  ServerSettings settings = demo_settings();
  settings.http.port = parse_http_url(first.address())->port;
  settings.engine.model_dir = "/no/such/folder";
  ServerProcess second(settings);
  const Status status = second.start();
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().text().find("port"), std::string::npos) << status.error().text();
}

}  // namespace
}  // namespace seraph
