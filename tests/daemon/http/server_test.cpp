// The server on a real loop and real sockets: the loop runs in a thread of its own, clients are blocking sockets.
#include "daemon/http/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <thread>

#include "tests/daemon/http/tls_client.h"

namespace seraph {
namespace {

class Client {
 public:
  explicit Client(int port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  explicit Client(const std::string& path) {
    fd_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  void stop_sending() { ::shutdown(fd_, SHUT_WR); }

  /// Reads until `end` is seen, the server closes or five seconds pass.
  std::string read_until(std::string_view end) {
    std::string got;
    while (end.empty() || got.find(end) == std::string::npos) {
      pollfd wait{fd_, POLLIN, 0};
      if (::poll(&wait, 1, 5000) <= 0) return got + "<timeout>";
      char buffer[65536];
      const ssize_t count = ::recv(fd_, buffer, sizeof buffer, 0);
      if (count <= 0) return got + "<closed>";
      got.append(buffer, static_cast<size_t>(count));
    }
    return got;
  }

 private:
  int fd_ = -1;
  bool connected_ = false;
};

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    options.port = 0;
    router.add("GET", "/health", Access::kOpen,
               [](const std::shared_ptr<Exchange>& exchange) { exchange->respond(200, "", ""); });
    router.add("GET", "/peer", Access::kKey, [](const std::shared_ptr<Exchange>& exchange) {
      exchange->respond(200, "text/plain", exchange->request().peer_is_loopback ? "loopback" : "elsewhere");
    });
    router.add("POST", "/echo", Access::kKey, [](const std::shared_ptr<Exchange>& exchange) {
      exchange->respond(200, "application/octet-stream", exchange->request().body);
    });
    router.add("GET", "/stream", Access::kKey, [this](const std::shared_ptr<Exchange>& exchange) {
      exchange->begin_stream();
      exchange->send("data: begin\n\n");
      streams.push_back(exchange);
      exchange->on_closed([this] { ++num_closed; });
    });
    router.add("GET", "/flood", Access::kKey, [this](const std::shared_ptr<Exchange>& exchange) {
      exchange->begin_stream();
      exchange->on_closed([this] { ++num_closed; });
      const std::string block(64 << 10, 'f');
      while (exchange->open()) exchange->send(block);
    });
  }
  ~ServerTest() override { stop(); }

  void start() {
    ASSERT_EQ(uv_loop_init(&loop), 0);
    Result<std::unique_ptr<HttpServer>> result = HttpServer::listen(&loop, options, router);
    ASSERT_TRUE(result.ok()) << result.error().text();
    server = std::move(*result);
    port = server->port();
    uv_async_init(&loop, &async, [](uv_async_t* handle) {
      auto& test = *static_cast<ServerTest*>(handle->data);
      test.task();
      test.task_done.set_value();
    });
    async.data = this;
    thread = std::thread([this] { uv_run(&loop, UV_RUN_DEFAULT); });
  }

  /// Runs on the loop thread and waits for it.
  void on_loop(std::function<void()> work) {
    task = std::move(work);
    task_done = std::promise<void>();
    std::future<void> done = task_done.get_future();
    uv_async_send(&async);
    done.wait();
  }

  HttpCounters counters() {
    HttpCounters result;
    on_loop([&] { result = server->counters(); });
    return result;
  }

  bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 500; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  void stop() {
    if (!thread.joinable()) return;
    on_loop([this] {
      streams.clear();
      server->close([this] { server = nullptr; });
      uv_close(reinterpret_cast<uv_handle_t*>(&async), nullptr);
    });
    thread.join();
    EXPECT_EQ(uv_loop_close(&loop), 0) << "every handle must be closed";
    EXPECT_EQ(server, nullptr);
  }

  HttpOptions options;
  Router router;
  uv_loop_t loop;
  uv_async_t async;
  std::function<void()> task;
  std::promise<void> task_done;
  std::unique_ptr<HttpServer> server;
  std::thread thread;
  std::vector<std::shared_ptr<Exchange>> streams;  // loop thread
  int num_closed = 0;                              // loop thread
  int port = 0;
};

constexpr std::string_view kHealth = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_F(ServerTest, ServesOnTcpWithKeepAlive) {
  start();
  EXPECT_EQ(server->address(), "http://127.0.0.1:" + std::to_string(port));
  Client client(port);
  for (int i = 0; i < 3; ++i) {
    client.send(kHealth);
    EXPECT_EQ(client.read_until("\r\n\r\n").substr(0, 15), "HTTP/1.1 200 OK");
  }
  client.send("GET /peer HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.read_until("loopback").find("loopback"), std::string::npos);
}

TEST_F(ServerTest, ServesOnAUnixSocketAndReplacesAStaleOne) {
  options.uds = testing::TempDir() + "seraph_http_test_" + std::to_string(getpid()) + ".sock";
  const int stale = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, options.uds.c_str());
  ASSERT_EQ(::bind(stale, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(stale);
  start();
  EXPECT_EQ(server->address(), "unix:" + options.uds);
  Client client(options.uds);
  client.send("GET /peer HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.read_until("loopback").find("loopback"), std::string::npos);
  stop();
  EXPECT_NE(::access(options.uds.c_str(), F_OK), 0) << "the socket file is removed";
}

TEST_F(ServerTest, AUnixSocketNeedsItsFolder) {
  options.uds = testing::TempDir() + "no_such_folder/s.sock";
  ASSERT_EQ(uv_loop_init(&loop), 0);
  const auto result = HttpServer::listen(&loop, options, router);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().text().find("there is no folder " + testing::TempDir() + "no_such_folder"),
            std::string::npos);
  uv_run(&loop, UV_RUN_DEFAULT);
  EXPECT_EQ(uv_loop_close(&loop), 0);
}

TEST_F(ServerTest, SpeaksTlsOnRealSockets) {
  const Identity identity = make_identity();
  options.ssl_certfile = testing::TempDir() + "seraph_http_test_" + std::to_string(getpid()) + ".pem";
  options.header_timeout_ms = 300;
  std::ofstream(options.ssl_certfile) << identity.certificate << identity.key;
  start();
  std::filesystem::remove(options.ssl_certfile);
  EXPECT_EQ(server->address(), "https://127.0.0.1:" + std::to_string(port));
  Client silent(port);
  Client socket(port);
  TlsClient tls;
  const auto run_until = [&](const std::function<bool()>& done) {
    char buffer[65536];
    socket.send(tls.to_send());
    while (!done()) {
      const ssize_t count = ::recv(socket.fd(), buffer, sizeof buffer, 0);
      if (count <= 0) return false;
      tls.receive(std::string_view(buffer, static_cast<size_t>(count)));
      socket.send(tls.to_send());
    }
    return true;
  };
  ASSERT_TRUE(run_until([&] { return tls.established(); }));
  const std::string body(5 << 20, 'b');
  tls.write("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  tls.write(body);
  std::thread sender([&socket, bytes = tls.to_send()] { socket.send(bytes); });
  EXPECT_TRUE(run_until([&] { return tls.text.size() > body.size() && tls.text.ends_with(body); }));
  sender.join();
  tls.text.clear();
  tls.write("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(run_until([&] { return tls.text.find("data: begin") != std::string::npos; }));
  socket.close();
  EXPECT_TRUE(eventually([this] {
    int closed = 0;
    on_loop([&] { closed = num_closed; });
    return closed == 1;
  }));
  EXPECT_EQ(silent.read_until(""), "<closed>") << "a handshake that never begins ends by time";
}

TEST_F(ServerTest, LargeBodiesGoThroughBothWays) {
  start();
  std::string body(20 << 20, 'x');
  for (size_t i = 0; i < body.size(); i += 997) body[i] = static_cast<char>('a' + i % 26);
  Client client(port);
  std::thread sender([&] {
    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    client.send(body);
  });
  std::string got = client.read_until("\r\n\r\n");
  const size_t head = got.find("\r\n\r\n") + 4;
  while (got.size() < head + body.size()) {
    char buffer[65536];
    const ssize_t count = ::recv(client.fd(), buffer, sizeof buffer, 0);
    if (count <= 0) break;
    got.append(buffer, static_cast<size_t>(count));
  }
  sender.join();
  EXPECT_TRUE(got.substr(head) == body);
}

TEST_F(ServerTest, ADisconnectReachesTheHandler) {
  start();
  Client gone(port), half(port), reset(port);
  for (Client* client : {&gone, &half, &reset}) {
    client->send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    client->read_until("begin");
  }
  gone.close();
  half.stop_sending();
  reset.reset();
  EXPECT_TRUE(eventually([this] {
    int closed = 0;
    on_loop([&] { closed = num_closed; });
    return closed == 3;
  }));
  EXPECT_NE(half.read_until("").find("<closed>"), std::string::npos);
  EXPECT_TRUE(eventually([this] { return counters().connections_open == 0; }));
}

TEST_F(ServerTest, TooManyConnectionsAreToldSo) {
  options.connections_max = 2;
  start();
  Client one(port), two(port);
  one.send(kHealth);
  one.read_until("\r\n\r\n");
  two.send(kHealth);
  two.read_until("\r\n\r\n");
  Client three(port);
  three.send(kHealth);
  const std::string answer = three.read_until("");
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 503");
  EXPECT_NE(answer.find("--max-connections"), std::string::npos);
  three.close();
  one.close();
  EXPECT_TRUE(eventually([this] { return counters().connections_open == 1; }));
  Client four(port);
  four.send(kHealth);
  EXPECT_EQ(four.read_until("\r\n\r\n").substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(counters().connections_refused, 1);
}

TEST_F(ServerTest, TimeoutsRunOnTheRealClock) {
  options.header_timeout_ms = 200;
  options.idle_timeout_ms = 300;
  start();
  Client slow(port), idle(port);
  slow.send("GET /hea");
  const std::string answer = slow.read_until("");
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 408");
  EXPECT_NE(answer.find("<closed>"), std::string::npos);
  EXPECT_EQ(idle.read_until(""), "<closed>");
}

TEST_F(ServerTest, AFloodedReaderIsCutAtTheHardLimit) {
  start();
  Client client(port);
  client.send("GET /flood HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(eventually([this] { return counters().slow_readers_cut == 1; }));
  int closed = 0;
  on_loop([&] { closed = num_closed; });
  EXPECT_EQ(closed, 1);
}

TEST_F(ServerTest, AStalledReaderIsCutByTime) {
  options.stalled_timeout_ms = 300;
  start();
  Client client(port);
  client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  client.read_until("begin");
  on_loop([this] { streams.at(0)->send(std::string(12 << 20, 'x')); });
  EXPECT_TRUE(eventually([this] { return counters().slow_readers_cut == 1; }));
}

TEST_F(ServerTest, ShutdownLetsStreamsEnd) {
  start();
  Client idle(port), streaming(port);
  idle.send(kHealth);
  idle.read_until("\r\n\r\n");
  streaming.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  streaming.read_until("begin");
  on_loop([this] { server->stop_accepting(); });
  EXPECT_EQ(idle.read_until(""), "<closed>");
  EXPECT_TRUE(eventually([this] { return !Client(port).connected(); }));
  on_loop([this] {
    streams.at(0)->send("data: last\n\n");
    streams.at(0)->end();
  });
  const std::string rest = streaming.read_until("");
  EXPECT_NE(rest.find("data: last"), std::string::npos);
  EXPECT_NE(rest.find("0\r\n\r\n<closed>"), std::string::npos);
}

TEST_F(ServerTest, CloseCutsWhatIsLeft) {
  start();
  Client client(port);
  client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  client.read_until("begin");
  stop();
  EXPECT_EQ(num_closed, 1);
}

TEST_F(ServerTest, AnAddressInUseIsAClearError) {
  start();
  HttpOptions same = options;
  same.port = port;
  on_loop([&] {
    const Result<std::unique_ptr<HttpServer>> second = HttpServer::listen(&loop, same, router);
    ASSERT_FALSE(second.ok());
    EXPECT_NE(second.error().text().find(std::to_string(port)), std::string::npos);
    EXPECT_NE(second.error().text().find("--port"), std::string::npos);
    same.host = "203.0.113.7";
    EXPECT_NE(HttpServer::listen(&loop, same, router).error().text().find("--host"), std::string::npos);
  });
}

TEST_F(ServerTest, SixHundredStreamsAtOnce) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  start();
  constexpr int kClients = 600, kEvents = 20;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<Client>(port));
    clients.back()->send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  ASSERT_TRUE(eventually([this] {
    size_t open = 0;
    on_loop([&] { open = streams.size(); });
    return open == kClients;
  }));
  for (int event = 0; event < kEvents; ++event) {
    on_loop([&] {
      for (const auto& stream : streams) stream->send("data: " + std::to_string(event) + "\n\n");
    });
  }
  on_loop([this] {
    for (const auto& stream : streams) stream->end();
    streams.clear();
  });
  for (const auto& client : clients) {
    const std::string got = client->read_until("0\r\n\r\n");
    ASSERT_NE(got.find("data: 19\n\n"), std::string::npos) << got;
    ASSERT_EQ(got.find("<"), std::string::npos);
  }
  clients.clear();
  EXPECT_TRUE(eventually([this] { return counters().connections_open == 0; }));
  EXPECT_EQ(counters().connections_total, kClients);
}

TEST_F(ServerTest, ManySmallRequestsOnOneConnection) {
  start();
  Client client(port);
  constexpr int kRounds = 200, kPipelined = 50;
  std::string batch;
  for (int i = 0; i < kPipelined; ++i) batch += kHealth;
  const auto begin = std::chrono::steady_clock::now();
  for (int round = 0; round < kRounds; ++round) {
    client.send(batch);
    std::string got;
    int answers = 0;
    while (answers < kPipelined) {
      got += client.read_until("\r\n\r\n");
      ASSERT_EQ(got.find('<'), std::string::npos);
      size_t end;
      while ((end = got.find("\r\n\r\n")) != std::string::npos) {
        ++answers;
        got.erase(0, end + 4);
      }
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  RecordProperty("requests_per_second", std::to_string(static_cast<int>(kRounds * kPipelined / seconds)));
  std::printf("%.0f requests/s\n", kRounds * kPipelined / seconds);
  EXPECT_EQ(counters().requests_total, kRounds * kPipelined);
}

}  // namespace
}  // namespace seraph
