// The whole route table behind the HTTP layer: who may enter where.
#include "daemon/api/api.h"

#include <gtest/gtest.h>
#include <uv.h>

#include <future>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/http/connection.h"
#include "tests/daemon/api/fake_store.h"
#include "tests/daemon/http/memory_transport.h"

namespace seraph {
namespace {

constexpr const char* kKey = "a-key";

constexpr const char* kKeyHeader = "authorization: Bearer a-key\r\n";
constexpr const char* kPost =
    "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer "
    "a-key\r\n";

struct Client {
  Client(const HttpOptions& options, const Router& router) : shared(options, router) {}
  HttpShared shared;
  MemoryTransport transport;
  Connection connection{shared, transport, "test", true, 1};
};

class RouteWalk : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    engine_ = std::move(Engine::make({.model_dir = SERAPH_TEST_DATA "/golden/api/model",
                                      .device = "cpu",
                                      .max_model_len = 64,
                                      .max_num_seqs = 2,
                                      .threads = 1},
                                     [] {}))
                  .value();
    tokenizer_ = std::move(Tokenizer::load(SERAPH_TEST_DATA "/golden/api/model")).value();
  }
  static void TearDownTestSuite() {
    engine_.reset();
    tokenizer_.reset();
  }

  RouteWalk() {
    uv_loop_init(&loop_);
    ApiArgs args{.loop = &loop_, .engine = engine_.get(), .tokenizer = tokenizer_.get(), .store = &store_};
    args.options.dev_mode = true;
    api_ = std::move(Api::make(std::move(args))).value();
    api_->add_routes(router_);
    options_.api_keys = {kKey};
  }
  ~RouteWalk() override {
    api_.reset();
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
  }

  /// The status that these bytes are answered with; 0: not at once.
  int status(const std::string& method, const std::string& target, const std::string& headers = "") {
    HttpShared shared(options_, router_);
    MemoryTransport transport;
    Connection connection(shared, transport, "test", true, 1);
    connection.on_bytes(method + ' ' + target + " HTTP/1.1\r\nhost: x\r\n" + headers + "\r\n", 2);
    connection.flush(3);
    if (transport.written.size() < 12) return 0;
    return std::stoi(transport.written.substr(9, 3));
  }

  inline static std::unique_ptr<Engine> engine_;
  inline static std::unique_ptr<Tokenizer> tokenizer_;
  uv_loop_t loop_{};
  FakeStore store_;
  std::unique_ptr<Api> api_;
  Router router_;
  HttpOptions options_;
};

TEST_F(RouteWalk, NothingButHealthAndTheDocumentAnswersWithoutTheKey) {
  const std::set<std::string> open = {"/health", "/ping", "/openapi.json", "/docs", "/redoc"};
  std::set<std::string> paths;
  for (const Router::Listed& route : router_.routes()) {
    ASSERT_EQ(route.access == Access::kOpen, open.contains(route.path)) << route.path;
    if (route.access == Access::kOpen) continue;
    const std::string path =
        route.path.ends_with('*') ? route.path.substr(0, route.path.size() - 1) + "name" : route.path;
    paths.insert(path);
    for (const std::string& method : {route.method, std::string("HEAD"), std::string("OPTIONS"), std::string("PUT")}) {
      EXPECT_EQ(status(method, path), 401) << method << ' ' << path;
      EXPECT_EQ(status(method, path, "authorization: Bearer wrong\r\n"), 401) << method << ' ' << path;
      EXPECT_EQ(status(method, path, "x-api-key: wrong\r\n"), 401) << method << ' ' << path;
    }
    char first[8];
    std::snprintf(first, sizeof first, "/%%%02x", static_cast<unsigned>(path[1]));
    for (const std::string& spelling : {'/' + path, path + '/', first + path.substr(2), path + "?a=b"}) {
      EXPECT_EQ(status(route.method, spelling), 401) << spelling;
    }
    for (const std::string& spelling : {"/%2e" + path, "/health/.." + path, "/health/%2e%2e" + path}) {
      EXPECT_EQ(status(route.method, spelling), 400) << spelling;
    }
  }
  EXPECT_GT(paths.size(), 20U);
}

TEST_F(RouteWalk, TheKeyOpensAndMethodsAreKept) {
  const std::string key = "authorization: Bearer a-key\r\n";
  EXPECT_EQ(status("GET", "/v1/models", key), 200);
  EXPECT_EQ(status("GET", "/v1/models/", key), 200);
  EXPECT_EQ(status("GET", "/v1/models/model", key), 200);
  EXPECT_EQ(status("GET", "/v1/models/nobody", key), 404);
  EXPECT_EQ(status("GET", "/v1/responses/resp_none", key), 404);
  EXPECT_EQ(status("DELETE", "/v1/responses/resp_none", key), 404);
  EXPECT_EQ(status("POST", "/v1/audio/speech", key + "content-length: 0\r\n"), 404);
  for (const char* path : {"/server_info", "/tokenizer_info", "/is_sleeping", "/load", "/metrics"}) {
    EXPECT_EQ(status("GET", path, key), 200) << path;
    EXPECT_EQ(status("HEAD", path, key), 405) << path;
    EXPECT_EQ(status("OPTIONS", path, key), 405) << path;
  }
  EXPECT_EQ(status("GET", "/health"), 200);
  EXPECT_EQ(status("GET", "/nothing"), 401) << "a stranger learns nothing";
}

TEST_F(RouteWalk, TheHeaderOfAnthropicsClientsOpensAnthropicsPathsOnly) {
  const std::string key = "x-api-key: a-key\r\n";
  for (const char* path : {"/v1/messages", "/v1/messages/count_tokens"}) {
    EXPECT_EQ(status("GET", path, key), 405) << path;
    EXPECT_EQ(status("GET", path), 401) << path;
  }
  for (const char* path : {"/v1/models", "/metrics", "/v1/chat/completions", "/nothing"}) {
    EXPECT_EQ(status("GET", path, key), 401) << path;
  }
}

TEST_F(RouteWalk, RefusedRequestsOfInferenceHaveARow) {
  options_.refusal_log = [this](const AccessRecord& refused) { api_->on_refused(refused.path, refused.status); };
  EXPECT_EQ(status("POST", "/v1/chat/completions"), 401);
  EXPECT_EQ(status("POST", "/tokenize"), 401);
  EXPECT_EQ(status("POST", "/nothing"), 401);
  ASSERT_EQ(store_.requests.size(), 1U) << "only what the engine would have worked for";
  EXPECT_EQ(store_.requests[0].endpoint, "/v1/chat/completions");
  EXPECT_EQ(store_.requests[0].status, 401);

  EXPECT_EQ(status("POST", "/v1/completions", std::string(kKeyHeader) + "content-type: text/plain\r\n"), 400);
  EXPECT_EQ(store_.requests.at(1).status, 400);
  Client client(options_, router_);
  client.connection.on_bytes(std::string(kPost) + "x-request-id: mine\r\ncontent-length: 1\r\n\r\n{", 2);
  uv_run(&loop_, UV_RUN_DEFAULT);
  client.connection.flush(3);
  EXPECT_EQ(client.transport.written.substr(0, 12), "HTTP/1.1 400");
  EXPECT_EQ(store_.requests.at(2).status, 400);
  EXPECT_EQ(store_.requests.at(2).request_id, "mine");
  EXPECT_EQ(store_.requests.at(2).completion_tokens, 0);
}

TEST_F(RouteWalk, WorkersDoNothingForClientsThatLeft) {
  // All workers are busy until the client has left.
  std::promise<void> left;
  const std::shared_future<void> wait = left.get_future().share();
  struct Busy {
    uv_work_t work;
    const std::shared_future<void>* wait;
  };
  std::vector<Busy> busy(16, {.work = {}, .wait = &wait});
  for (Busy& one : busy) {
    one.work.data = &one;
    uv_queue_work(
        &loop_, &one.work, [](uv_work_t* work) { static_cast<Busy*>(work->data)->wait->wait(); },
        [](uv_work_t*, int) {});
  }
  {
    Client client(options_, router_);
    client.connection.on_bytes(std::string(kPost) + "content-length: 1\r\n\r\n{", 2);
    client.connection.abort();
    EXPECT_FALSE(api_->idle());
  }
  left.set_value();
  uv_run(&loop_, UV_RUN_DEFAULT);
  EXPECT_TRUE(api_->idle());
  ASSERT_EQ(store_.requests.size(), 1U);
  EXPECT_EQ(store_.requests[0].status, 499) << "the broken body was not looked at";
}

}  // namespace
}  // namespace seraph
