#include "daemon/http/tls.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/daemon/http/memory_transport.h"
#include "tests/daemon/http/tls_client.h"

namespace seraph {
namespace {

constexpr MonotonicUs kSecond = 1'000'000;

/// A server's connection and a client, joined in memory. The socket's room is set by the test.
class TlsTest : public testing::Test {
 protected:
  TlsTest() : folder_(testing::TempDir() + "seraph_tls_" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
    options.ssl_certfile = write("server.pem", identity.certificate);
    options.ssl_keyfile = write("server.key", identity.key);
    router.add("GET", "/hello", Access::kOpen,
               [](const std::shared_ptr<Exchange>& exchange) { exchange->respond(200, "text/plain", "hello"); });
    router.add("POST", "/echo", Access::kOpen, [](const std::shared_ptr<Exchange>& exchange) {
      exchange->respond(200, "application/octet-stream", exchange->request().body);
    });
    router.add("GET", "/stream", Access::kOpen, [this](const std::shared_ptr<Exchange>& exchange) {
      exchange->begin_stream();
      held = exchange;
      exchange->on_closed([this] { ++num_closed; });
      exchange->on_drained([this] { ++num_drained; });
    });
  }
  ~TlsTest() override {
    held = nullptr;
    std::filesystem::remove_all(folder_);
  }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }

  void open() {
    auto made = TlsContext::make(options);
    ASSERT_TRUE(made.ok()) << made.error().text();
    context = std::move(*made);
    shared = std::make_unique<HttpShared>(options, router);
    tls = std::make_unique<TlsTransport>(*context, socket, now + 10 * kSecond);
    connection = std::make_unique<Connection>(*shared, *tls, "peer", false, now);
    tls->attach(*connection);
  }

  /// What the server does at the end of a loop turn.
  void turn() {
    for (int round = 0; round < 100 && socket.flush_wanted && !socket.closed; ++round) {
      socket.flush_wanted = false;
      connection->flush(now);
    }
  }

  /// Carries bytes both ways until nobody has more to say, cut into pieces of `piece` bytes.
  void exchange_bytes(TlsClient& client, size_t piece = 1 << 20) {
    for (int round = 0; round < 100'000; ++round) {
      const std::string up = client.to_send();
      for (size_t at = 0; at < up.size() && !socket.closed; at += piece) {
        tls->on_bytes(std::string_view(up).substr(at, piece), now);
        turn();
      }
      const std::string down = std::move(socket.written);
      socket.written.clear();
      for (size_t at = 0; at < down.size(); at += piece) client.receive(std::string_view(down).substr(at, piece));
      if (socket.write_pending && socket.open_window(socket_room)) {
        tls->on_written(true, now);
        turn();
        continue;
      }
      if (up.empty() && down.empty() && !socket.write_pending) return;
    }
    FAIL() << "the two never came to rest";
  }

  const std::string folder_;
  const Identity identity = make_identity();
  HttpOptions options;
  Router router;
  MemoryTransport socket;
  int64_t socket_room = 1 << 20;  // by which the window opens when it is full
  MonotonicUs now = kSecond;
  std::unique_ptr<TlsContext> context;
  std::unique_ptr<HttpShared> shared;
  std::unique_ptr<TlsTransport> tls;
  std::unique_ptr<Connection> connection;
  std::shared_ptr<Exchange> held;
  int num_closed = 0, num_drained = 0;
};

TEST_F(TlsTest, RequestsAreAnsweredOverBothVersionsHoweverTheBytesAreCut) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const size_t piece : {size_t{1}, size_t{7}, size_t{1} << 20}) {
      socket = MemoryTransport();
      open();
      TlsClient client(nullptr, version);
      exchange_bytes(client, piece);
      ASSERT_TRUE(client.established());
      for (int i = 0; i < 2; ++i) {
        client.text.clear();
        client.write("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
        exchange_bytes(client, piece);
        EXPECT_NE(client.text.find("HTTP/1.1 200 OK"), std::string::npos);
        EXPECT_TRUE(client.text.ends_with("\r\n\r\nhello"));
      }
    }
  }
}

TEST_F(TlsTest, BigBodiesGoThroughANarrowSocketBothWays) {
  std::string body(3 << 20, 'x');
  for (size_t i = 0; i < body.size(); i += 991) body[i] = static_cast<char>('a' + i % 26);
  for (const int64_t room : {int64_t{1000}, int64_t{70'001}, int64_t{1} << 22}) {
    socket = MemoryTransport();
    socket_room = room;
    open();
    TlsClient client;
    exchange_bytes(client);
    socket.window_bytes = room;
    client.write("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    client.write(body);
    exchange_bytes(client, 50'000);
    ASSERT_GT(client.text.size(), body.size()) << room;
    EXPECT_TRUE(std::string_view(client.text).ends_with(body)) << room;
    EXPECT_FALSE(socket.closed);
  }
}

TEST_F(TlsTest, AStreamPausesAndGoesOnAsOverPlainHttp) {
  options.unsent_soft_bytes = 64 << 10;
  open();
  TlsClient client;
  exchange_bytes(client);
  client.write("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  exchange_bytes(client);
  ASSERT_TRUE(held);
  socket.window_bytes = 0;
  const std::string block(10'000, 'e');
  int sent = 1;
  for (; held->send(block); ++sent) turn();
  EXPECT_LE(sent, 15) << "the soft limit counts what TLS keeps";
  EXPECT_EQ(num_drained, 0);
  exchange_bytes(client);
  EXPECT_EQ(num_drained, 1);
  held->end();
  turn();
  exchange_bytes(client);
  EXPECT_EQ(std::count(client.text.begin(), client.text.end(), 'e') / 10'000, sent);
  EXPECT_TRUE(client.text.ends_with("0\r\n\r\n"));
}

TEST_F(TlsTest, AReaderThatStallsIsCut) {
  options.stalled_timeout_ms = 2000;
  open();
  TlsClient client;
  exchange_bytes(client);
  client.write("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  exchange_bytes(client);
  socket.window_bytes = 0;
  held->send(std::string(200'000, 'e'));
  turn();
  connection->sweep(now);
  now += kSecond;
  connection->sweep(now);
  EXPECT_FALSE(socket.closed);
  if (socket.open_window(1000)) tls->on_written(true, now);
  now += 2 * kSecond;
  connection->sweep(now);
  EXPECT_FALSE(socket.closed) << "bytes moved";
  now += 3 * kSecond;
  connection->sweep(now);
  EXPECT_TRUE(socket.closed);
  EXPECT_EQ(num_closed, 1);
}

TEST_F(TlsTest, GarbageAndPlainHttpEndTheConnection) {
  open();
  tls->on_bytes("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", now);
  EXPECT_TRUE(socket.closed);
  EXPECT_TRUE(socket.written.starts_with("HTTP/1.1 400 "));
  const size_t body = socket.written.find("\r\n\r\n") + 4;
  EXPECT_NE(socket.written.find("content-length: " + std::to_string(socket.written.size() - body)), std::string::npos);
  for (const std::string& garbage : {std::string("\x00\x01\x02garbage", 10),
                                     std::string("\x16\x03\x01\x00\x05xxxxx", 10), std::string(300, '\xff')}) {
    socket = MemoryTransport();
    open();
    tls->on_bytes(garbage, now);
    EXPECT_TRUE(socket.closed);
  }
}

TEST_F(TlsTest, AHandshakeHasALimitedTime) {
  open();
  TlsClient client;
  const std::string hello = client.to_send();
  tls->on_bytes(hello.substr(0, hello.size() / 2), now);
  now += 9 * kSecond;
  tls->sweep(now);
  EXPECT_FALSE(socket.closed);
  now += 2 * kSecond;
  tls->sweep(now);
  EXPECT_TRUE(socket.closed);
}

TEST_F(TlsTest, WhatIsWrittenBeforeTheHandshakeWaitsForItsEnd) {
  open();
  connection->refuse(now);
  EXPECT_TRUE(socket.written.empty());
  TlsClient client;
  exchange_bytes(client);
  EXPECT_EQ(client.text.substr(0, 12), "HTTP/1.1 503");
  EXPECT_TRUE(client.closed_by_peer()) << "the end is told";
  EXPECT_TRUE(socket.shut_down);
}

TEST_F(TlsTest, TheClientsEndReachesTheHandler) {
  for (const bool politely : {true, false}) {
    socket = MemoryTransport();
    num_closed = 0;
    open();
    TlsClient client;
    exchange_bytes(client);
    client.write("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    exchange_bytes(client);
    if (politely) {
      SSL_shutdown(client.session());
      tls->on_bytes(client.to_send(), now);
    } else {
      tls->on_eof(now);
    }
    EXPECT_EQ(num_closed, 1);
    EXPECT_TRUE(socket.closed);
  }
}

TEST_F(TlsTest, KeyUpdatesWithoutReadingHaveALimit) {
  open();
  TlsClient client;
  exchange_bytes(client);
  socket.window_bytes = 0;
  for (int i = 0; i < 100'000 && !socket.closed; ++i) {
    SSL_key_update(client.session(), SSL_KEY_UPDATE_REQUESTED);
    client.write(" ");
    tls->on_bytes(client.to_send(), now);
  }
  EXPECT_TRUE(socket.closed);
}

TEST_F(TlsTest, ClientCertificatesAreCheckedAsAsked) {
  const Identity friendly = make_identity();
  const Identity stranger = make_identity();
  options.ssl_ca_certs = write("clients.pem", friendly.certificate);
  struct Case {
    int cert_reqs;
    const Identity* client;
    bool answered;
  };
  for (const Case& row : {Case{0, nullptr, true}, Case{1, nullptr, true}, Case{1, &friendly, true},
                          Case{1, &stranger, false}, Case{2, nullptr, false}, Case{2, &friendly, true}}) {
    options.ssl_cert_reqs = row.cert_reqs;
    socket = MemoryTransport();
    open();
    TlsClient client(row.client);
    exchange_bytes(client);
    client.write("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    exchange_bytes(client);
    EXPECT_EQ(client.text.find("hello") != std::string::npos, row.answered)
        << row.cert_reqs
        << (row.client == nullptr     ? " none"
            : row.client == &friendly ? " friend"
                                      : " stranger");
  }
}

TEST_F(TlsTest, FilesThatCannotBeUsedAreNamed) {
  const auto error_of = [this] {
    const auto made = TlsContext::make(options);
    return made.ok() ? std::string("no error") : made.error().text();
  };
  EXPECT_EQ(error_of(), "no error");
  options.ssl_keyfile = "/no/such/key";
  EXPECT_NE(error_of().find("--ssl-keyfile: /no/such/key cannot be used: "), std::string::npos);
  options.ssl_keyfile = write("other.key", make_identity().key);
  EXPECT_NE(error_of().find("key values mismatch"), std::string::npos);
  options.ssl_keyfile = "";
  EXPECT_NE(error_of().find("--ssl-keyfile"), std::string::npos) << "the certificate's file holds no key";
  options.ssl_certfile = write("both.pem", identity.certificate + identity.key);
  EXPECT_EQ(error_of(), "no error");
  options.ssl_ciphers = "NONSENSE";
  EXPECT_NE(error_of().find("--ssl-ciphers"), std::string::npos);
  options.ssl_ciphers = "";
  options.ssl_cert_reqs = 2;
  EXPECT_NE(error_of().find("need --ssl-ca-certs"), std::string::npos);
  options.ssl_ca_certs = write("empty.pem", "");
  EXPECT_NE(error_of().find("--ssl-ca-certs"), std::string::npos);
  options = HttpOptions();
  options.ssl_keyfile = "key";
  EXPECT_NE(error_of().find("--ssl-certfile"), std::string::npos);
}

}  // namespace
}  // namespace seraph
