#include "daemon/commands/bench_load.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

namespace seraph {
namespace {

/// Answers each connection with one fixed text, then closes.
class FixedServer {
 public:
  explicit FixedServer(std::string answer) : answer_(std::move(answer)), socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(socket_, 16), 0);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~FixedServer() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
  }
  int port() const { return port_; }
  /// What the clients sent. Call it when they are done.
  const std::vector<std::string>& requests() const { return requests_; }

 private:
  void serve() {
    for (int client = accept(socket_, nullptr, nullptr); client >= 0; client = accept(socket_, nullptr, nullptr)) {
      char request[4096];
      const ssize_t size = read(client, request, sizeof(request));
      EXPECT_GT(size, 0);
      requests_.emplace_back(request, static_cast<size_t>(std::max<ssize_t>(0, size)));
      EXPECT_EQ(write(client, answer_.data(), answer_.size()), static_cast<ssize_t>(answer_.size()));
      close(client);
    }
  }

  const std::string answer_;
  const int socket_;
  int port_ = 0;
  std::vector<std::string> requests_;
  std::thread thread_;
};

TEST(BenchLoad, UrlsAreTakenApart) {
  const auto target = parse_http_url("http://[::1]:80/a/b/");
  ASSERT_TRUE(target.ok());
  EXPECT_EQ(target->host, "::1");
  EXPECT_EQ(target->path, "/a/b");
  EXPECT_EQ(parse_http_url("http://host:8501")->port, 8501);
  for (const char* bad :
       {"https://x", "host", "http://", "http://x:0", "http://x:y", "http://x:99999", "http://[::1"}) {
    EXPECT_FALSE(parse_http_url(bad).ok()) << bad;
  }
}

TEST(BenchLoad, CountsChunksAndUsageOfAStream) {
  const FixedServer server(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
      ": comment\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n"
      "data: {\"choices\":[{\"delta\":{\"content\":\" ho\"}}]}\n\n"
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n");
  LoadPlan plan{.target = {.host = "127.0.0.1", .port = server.port()}, .endpoint = "/x", .bodies = {"{}", "{}"}};
  plan.starts_us = {0, 2000};
  plan.max_concurrency = 1;
  const auto samples = run_load(plan);
  ASSERT_TRUE(samples.ok());
  for (const BenchSample& sample : *samples) {
    EXPECT_TRUE(sample.ok) << sample.error;
    EXPECT_EQ(sample.chunks_us.size(), 2U);
    EXPECT_EQ(sample.prompt_tokens, 5);
    EXPECT_EQ(sample.output_tokens, 2);
    EXPECT_EQ(sample.text, "hi ho");
    EXPECT_GE(sample.start_us, sample.due_us);
  }
}

TEST(BenchLoad, SendsHeadersAndRequestIds) {
  const FixedServer server("HTTP/1.1 200 OK\r\n\r\ndata: {\"choices\":[{\"text\":\"x\"}]}\n\n");
  LoadPlan plan{.target = {.host = "127.0.0.1", .port = server.port()}, .endpoint = "/x", .bodies = {"{}", "[]"}};
  plan.starts_us = {0, 0};
  plan.max_concurrency = 1;
  plan.headers = {{"A", "b"}};
  plan.request_id_prefix = "r-";
  std::vector<int64_t> progress;
  plan.on_progress = [&](int64_t done) { progress.push_back(done); };
  ASSERT_TRUE(run_load(plan).ok());
  EXPECT_EQ(progress, (std::vector<int64_t>{1, 2}));
  ASSERT_EQ(server.requests().size(), 2U);
  EXPECT_NE(server.requests()[1].find("\r\nA: b\r\n"), std::string::npos);
  EXPECT_NE(server.requests()[1].find("\r\nx-request-id: r-1\r\n"), std::string::npos);
}

TEST(BenchLoad, FailuresSayWhy) {
  const FixedServer server("HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nwhy?");
  LoadPlan plan{.target = {.host = "127.0.0.1", .port = server.port()}, .endpoint = "/x", .bodies = {"{}"}};
  plan.starts_us = {0};
  EXPECT_EQ(run_load(plan)->front().error, "HTTP 400: why?");
  plan.target.port = 1;
  EXPECT_FALSE(run_load(plan)->front().error.empty());
  plan.target.host = "no.such.host.invalid";
  EXPECT_FALSE(run_load(plan).ok());
}

TEST(BenchLoad, GetsAWholeBody) {
  const FixedServer server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(http_get({.host = "127.0.0.1", .port = server.port()}, "/v1/models", "").value(), "{}");
}

}  // namespace
}  // namespace seraph
