#include "daemon/http/connection.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/daemon/http/memory_transport.h"

namespace seraph {
namespace {

constexpr MonotonicUs kSecond = 1'000'000;

/// A connection on memory with a few routes; time is `now`.
class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() {
    router.add("GET", "/hello", Access::kOpen, [](const std::shared_ptr<Exchange>& exchange) {
      exchange->respond(200, "text/plain", "hello " + exchange->request().query);
    });
    router.add("HEAD", "/hello", Access::kOpen,
               [](const std::shared_ptr<Exchange>& exchange) { exchange->respond(200, "text/plain", "hello"); });
    router.add("POST", "/echo", Access::kKey, [](const std::shared_ptr<Exchange>& exchange) {
      exchange->respond(200, "application/octet-stream", exchange->request().body);
    });
    router.add("GET", "/later", Access::kKey, [this](const std::shared_ptr<Exchange>& exchange) { keep(exchange); });
    router.add("GET", "/stream", Access::kKey, [this](const std::shared_ptr<Exchange>& exchange) {
      exchange->begin_stream();
      keep(exchange);
    });
    router.add("GET", "/throw", Access::kKey,
               [](const std::shared_ptr<Exchange>&) { throw std::runtime_error("boom"); });
    router.add("GET", "/forget", Access::kKey, [](const std::shared_ptr<Exchange>&) {});
  }

  void keep(const std::shared_ptr<Exchange>& exchange) {
    held = exchange;
    exchange->on_closed([this] { ++num_closed; });
    exchange->on_drained([this] { ++num_drained; });
  }

  void open() {
    shared = std::make_unique<HttpShared>(options, router);
    connection = std::make_unique<Connection>(*shared, transport, "127.0.0.1:1", true, now);
  }

  /// What the server does at the end of a loop turn.
  void turn() {
    for (int round = 0; round < 100 && transport.flush_wanted; ++round) {
      transport.flush_wanted = false;
      connection->flush(now);
    }
  }

  std::string get(std::string_view bytes) {
    if (!connection) open();
    transport.written.clear();
    connection->on_bytes(bytes, now);
    turn();
    return without_date(transport.written);
  }

  static std::string without_date(std::string text) {
    size_t at = 0;
    while ((at = text.find("date: ", at)) != std::string::npos) text.erase(at, text.find("\r\n", at) + 2 - at);
    return text;
  }

  HttpOptions options;
  Router router;
  MemoryTransport transport;
  std::unique_ptr<HttpShared> shared;
  std::unique_ptr<Connection> connection;
  std::shared_ptr<Exchange> held;
  int num_closed = 0, num_drained = 0;
  MonotonicUs now = kSecond;
};

TEST_F(ConnectionTest, EveryAnswerIsALineOfTheAccessLog) {
  std::vector<std::string> lines;
  options.access_log = [&lines](const AccessRecord& answer) {
    lines.push_back(std::string(answer.peer) + " " + std::string(answer.method) + " " + std::string(answer.path) + " " +
                    std::to_string(answer.status));
  };
  get("GET /hello?key=secret HTTP/1.1\r\nHost: h\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
  get("PUT /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  get("broken\r\n\r\n");
  EXPECT_EQ(lines, (std::vector<std::string>{"127.0.0.1:1 GET /hello 200", "127.0.0.1:1 GET /nowhere 404",
                                             "127.0.0.1:1 PUT /hello 405", "127.0.0.1:1   400"}));
}

TEST_F(ConnectionTest, AnswersAndKeepsTheConnection) {
  EXPECT_EQ(get("GET /hello?x HTTP/1.1\r\nHost: h\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nserver: seraph\r\ncontent-type: text/plain\r\ncontent-length: 7\r\nvary: Origin\r\n\r\n"
            "hello x");
  EXPECT_FALSE(transport.closed);
  EXPECT_NE(get("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").find("connection: close\r\n"),
            std::string::npos);
  EXPECT_TRUE(transport.closed);
  EXPECT_EQ(shared->counters.requests_total, 2);
  EXPECT_EQ(shared->counters.responses_by_class[2], 2);
}

TEST_F(ConnectionTest, PipelinedRequestsAreAnsweredInOrderInOneWrite) {
  const std::string answers =
      get("GET /hello?1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ntwoGET "
          "/hello?3 HTTP/1.1\r\nHost: h\r\n\r\n");
  const size_t one = answers.find("hello 1"), two = answers.find("\r\n\r\ntwo"), three = answers.find("hello 3");
  ASSERT_NE(three, std::string::npos);
  EXPECT_LT(one, two);
  EXPECT_LT(two, three);
  EXPECT_EQ(transport.num_writes, 1);
}

TEST_F(ConnectionTest, APipelinedRequestWaitsForTheAnswerBeforeIt) {
  EXPECT_EQ(get("GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /hello?2 HTTP/1.1\r\nHost: h\r\n\r\n"), "");
  held->respond(200, "text/plain", "first");
  turn();
  const std::string answers = transport.written;
  EXPECT_LT(answers.find("first"), answers.find("hello 2"));
  EXPECT_NE(answers.find("hello 2"), std::string::npos);
}

TEST_F(ConnectionTest, ReadingStopsWhenTooMuchIsPipelined) {
  get("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string request = "GET /hello HTTP/1.1\r\nHost: h\r\nX: " + std::string(1000, 'x') + "\r\n\r\n";
  int sent = 0;
  for (; transport.reading && sent < 1000; ++sent) connection->on_bytes(request, now);
  EXPECT_LT(sent, 200);
  held->respond(200, "", "");
  transport.flush_wanted = true;
  turn();
  EXPECT_TRUE(transport.reading);
  EXPECT_EQ(shared->counters.requests_total, sent + 1);
}

TEST_F(ConnectionTest, AnswersToOneWhoDoesNotReadDoNotPileUp) {
  open();
  transport.window_bytes = 0;
  options.unsent_soft_bytes = 1000;
  open();
  for (int i = 0; i < 100; ++i) {
    connection->on_bytes("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", now);
    turn();
  }
  EXPECT_LT(shared->counters.requests_total, 20);
  if (transport.open_window(1 << 30)) connection->on_written(true, now);
  turn();
  EXPECT_EQ(shared->counters.requests_total, 100);
}

TEST_F(ConnectionTest, HeadLeavesTheBodyAwayAndApiRoutesRefuseIt) {
  const std::string head = get("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(head.find("content-length: 5\r\n"), std::string::npos);
  EXPECT_EQ(head.substr(head.size() - 4), "\r\n\r\n");
  const std::string refused = get("HEAD /later HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(refused,
            "HTTP/1.1 405 Method Not Allowed\r\nserver: seraph\r\ncontent-type: application/json\r\n"
            "content-length: 31\r\nvary: Origin\r\nallow: GET\r\n\r\n");
}

TEST_F(ConnectionTest, UnknownPathsAndMethods) {
  EXPECT_NE(get("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n").find("{\"detail\":\"Not Found\"}"), std::string::npos);
  const std::string wrong = get("OPTIONS /later HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(wrong.find("405"), std::string::npos);
  EXPECT_NE(wrong.find("allow: GET\r\n"), std::string::npos);
  EXPECT_NE(wrong.find("{\"detail\":\"Method Not Allowed\"}"), std::string::npos);
  EXPECT_FALSE(transport.closed);
}

TEST_F(ConnectionTest, KeysGuardEverythingButOpenRoutes) {
  options.api_keys = {"secret"};
  const std::string unauthorized =
      "HTTP/1.1 401 Unauthorized\r\nserver: seraph\r\ncontent-type: application/json\r\ncontent-length: 24\r\n\r\n"
      "{\"error\":\"Unauthorized\"}";
  EXPECT_EQ(get("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nOrigin: http://a\r\n\r\nabc"), unauthorized);
  EXPECT_EQ(get("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n"), unauthorized);
  EXPECT_EQ(get("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"), unauthorized);
  EXPECT_EQ(get("POST /ECHO/..%2fhello HTTP/1.1\r\nHost: h\r\n\r\n").substr(0, 12), "HTTP/1.1 400");
  connection = nullptr;
  EXPECT_NE(get("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n").find("200 OK"), std::string::npos);
  const std::string preflight =
      get("OPTIONS /echo HTTP/1.1\r\nHost: h\r\nOrigin: http://a\r\nAccess-Control-Request-Method: POST\r\n\r\n");
  EXPECT_NE(preflight.find("Disallowed CORS origin"), std::string::npos);
  EXPECT_NE(get("POST //echo/ HTTP/1.1\r\nHost: h\r\nAuthorization: bearer secret\r\nContent-Length: 2\r\n\r\nok")
                .find("\r\n\r\nok"),
            std::string::npos);
  EXPECT_EQ(get("POST //echo/ HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer secret \r\nContent-Length: 2\r\n\r\nok"),
            unauthorized);
}

TEST_F(ConnectionTest, ContinueIsSentOnlyWhenTheBodyIsWanted) {
  options.api_keys = {"secret"};
  EXPECT_EQ(get("POST /echo HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer secret\r\nExpect: 100-continue\r\n"
                "Content-Length: 4\r\n\r\n"),
            "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_NE(get("body").find("\r\n\r\nbody"), std::string::npos);
  const std::string refused =
      get("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(refused.substr(0, 12), "HTTP/1.1 401");
  EXPECT_NE(refused.find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(transport.shut_down);
}

TEST_F(ConnectionTest, BrokenRequestsGetAnErrorAndALingeringClose) {
  const std::string answer =
      get("GET /hello HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 400");
  EXPECT_NE(answer.find("\"type\":\"Bad Request\",\"param\":null,\"code\":400}}"), std::string::npos);
  EXPECT_EQ(answer.find("hello"), std::string::npos);
  EXPECT_TRUE(transport.shut_down);
  EXPECT_FALSE(transport.closed);
  connection->on_bytes("more that nobody reads", now);
  now += 2 * kSecond;
  connection->sweep(now);
  EXPECT_TRUE(transport.closed);
}

TEST_F(ConnectionTest, SlowHeadersAndBodiesRunIntoTheirTimeouts) {
  get("GET /hel");
  now += options.header_timeout_ms * 1000 + 1;
  connection->sweep(now);
  turn();
  EXPECT_NE(transport.written.find("408 Request Timeout"), std::string::npos);
  EXPECT_NE(transport.written.find("--header-timeout"), std::string::npos);

  transport = MemoryTransport();
  open();
  get("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
  now += options.header_timeout_ms * 1000 + 1;
  connection->on_bytes("a", now);
  connection->sweep(now);
  EXPECT_EQ(transport.written, "");
  now += options.body_timeout_ms * 1000;
  connection->sweep(now);
  turn();
  EXPECT_NE(transport.written.find("--body-timeout"), std::string::npos);
}

TEST_F(ConnectionTest, IdleConnectionsCloseSilentlyButNeverDuringAnAnswer) {
  get("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
  now += 10 * options.idle_timeout_ms * 1000;
  connection->sweep(now);
  EXPECT_FALSE(transport.closed);
  held->respond(200, "", "");
  turn();
  now += options.idle_timeout_ms * 1000 - 1;
  connection->sweep(now);
  EXPECT_FALSE(transport.closed);
  now += 2;
  transport.written.clear();
  connection->sweep(now);
  EXPECT_TRUE(transport.closed);
  EXPECT_EQ(transport.written, "");
}

TEST_F(ConnectionTest, AStreamIsChunkedAndFlushedOncePerTurn) {
  get("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(held->send("data: 1\n\n"));
  EXPECT_TRUE(held->send("data: 2\n\n"));
  EXPECT_EQ(transport.written, "");
  turn();
  EXPECT_EQ(transport.num_writes, 1);
  held->end();
  EXPECT_FALSE(held->open());
  EXPECT_FALSE(held->send("ignored"));
  turn();
  EXPECT_EQ(without_date(transport.written),
            "HTTP/1.1 200 OK\r\nserver: seraph\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
            "transfer-encoding: chunked\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\nvary: Origin\r\n\r\n"
            "9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n");
  EXPECT_FALSE(transport.closed);
  EXPECT_EQ(num_closed, 0);
}

TEST_F(ConnectionTest, AnOldClientGetsTheStreamUntilTheClose) {
  get("GET /stream HTTP/1.0\r\n\r\n");
  held->send("data: 1\n\n");
  held->end();
  turn();
  EXPECT_EQ(transport.written.find("transfer-encoding"), std::string::npos);
  EXPECT_EQ(transport.written.substr(transport.written.find("\r\n\r\n")), "\r\n\r\ndata: 1\n\n");
  EXPECT_TRUE(transport.closed);
}

TEST_F(ConnectionTest, AClientThatGoesAwayIsReportedOnce) {
  get("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  connection->on_eof(now);
  EXPECT_EQ(num_closed, 1);
  EXPECT_TRUE(transport.closed);
  EXPECT_FALSE(held->open());
  held->send("x");
  held->end();
  int late = 0;
  held->on_closed([&late] { ++late; });
  EXPECT_EQ(late, 1);
  connection = nullptr;
  held->respond(200, "", "");
  EXPECT_EQ(num_closed, 1);
}

TEST_F(ConnectionTest, ABrokenWriteIsAClientGone) {
  get("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  transport.broken = true;
  held->send("x");
  EXPECT_EQ(num_closed, 0);
  turn();
  EXPECT_EQ(num_closed, 1);
}

TEST_F(ConnectionTest, WhatWasAnsweredReachesAClientThatOnlyStoppedSending) {
  get("");
  transport.window_bytes = 10;
  connection->on_bytes("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", now);
  connection->on_eof(now);
  EXPECT_FALSE(transport.closed);
  if (transport.open_window(1000)) connection->on_written(true, now);
  EXPECT_TRUE(transport.closed);
  EXPECT_NE(transport.written.find("hello "), std::string::npos);
}

TEST_F(ConnectionTest, SlowReadersPauseThenDrainThenAreCut) {
  options.unsent_soft_bytes = 1000;
  options.unsent_hard_bytes = 5000;
  get("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  transport.window_bytes = 0;
  const std::string event(100, 'e');
  int sent = 0;
  while (held->send(event)) {
    ++sent;
    turn();
  }
  EXPECT_NEAR(sent, 8, 3);
  EXPECT_EQ(num_drained, 0);
  if (transport.open_window(1 << 20)) connection->on_written(true, now);
  turn();
  EXPECT_EQ(num_drained, 1);
  transport.window_bytes = 0;
  for (int i = 0; i < 100 && held->open(); ++i) {
    held->send(event);
    EXPECT_EQ(num_closed, 0);  // never inside send()
    turn();
  }
  EXPECT_EQ(num_closed, 1);
  EXPECT_TRUE(transport.closed);
  EXPECT_EQ(shared->counters.slow_readers_cut, 1);
}

TEST_F(ConnectionTest, BytesThatDoNotMoveAreCutAfterAWhile) {
  get("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  transport.window_bytes = 0;
  held->send(std::string(1000, 'x'));
  turn();
  connection->sweep(now);
  now += options.stalled_timeout_ms * 1000 - 1;
  transport.open_window(1);  // one byte moves: that is progress
  connection->sweep(now);
  now += options.stalled_timeout_ms * 1000 - 1;
  connection->sweep(now);
  EXPECT_FALSE(transport.closed);
  now += 2;
  connection->sweep(now);
  EXPECT_TRUE(transport.closed);
  EXPECT_EQ(num_closed, 1);
}

TEST_F(ConnectionTest, AHandlersTroubleIsAnswered) {
  EXPECT_NE(get("GET /throw HTTP/1.1\r\nHost: h\r\n\r\n").find("500 Internal Server Error"), std::string::npos);
  get("GET /forget HTTP/1.1\r\nHost: h\r\n\r\n");
  connection->sweep(now);
  turn();
  EXPECT_NE(transport.written.find("500 Internal Server Error"), std::string::npos);
  EXPECT_FALSE(transport.closed);
}

TEST_F(ConnectionTest, RequestIdsAreEchoedOrMade) {
  options.request_id_headers = true;
  EXPECT_NE(get("GET /hello HTTP/1.1\r\nHost: h\r\nX-Request-Id: abc\r\n\r\n").find("x-request-id: abc\r\n"),
            std::string::npos);
  const std::string made = get("GET /nothing HTTP/1.1\r\nHost: h\r\nX-Request-Id: a b\r\n\r\n");
  const size_t at = made.find("x-request-id: ");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(made.find("\r\n", at) - at, 14u + 32u);
}

TEST_F(ConnectionTest, ShutdownClosesIdleOnesAndLetsAnswersEnd) {
  get("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  shared->stopping = true;
  connection->stop_keep_alive();
  EXPECT_FALSE(transport.closed);
  held->send("last");
  held->end();
  turn();
  EXPECT_TRUE(transport.closed);
  EXPECT_EQ(num_closed, 0);

  transport = MemoryTransport();
  shared->stopping = false;
  connection = std::make_unique<Connection>(*shared, transport, "unix", true, now);
  connection->stop_keep_alive();
  EXPECT_TRUE(transport.closed);
}

TEST_F(ConnectionTest, RefusalsOfKnownPathsAreReported) {
  options.api_keys = {"secret"};
  std::vector<std::string> seen;
  options.refusal_log = [&](const AccessRecord& refused) {
    seen.push_back(std::string(refused.path) + ' ' + std::to_string(refused.status));
  };
  open();
  get("POST //echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  get("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n");
  get("PUT /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  get("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(seen, (std::vector<std::string>{"/echo 401", "/hello 405"}));
}

TEST_F(ConnectionTest, ShutdownWaitsForNoRequestThatIsNotComplete) {
  get("GET /hello HTT");
  shared->stopping = true;
  connection->stop_keep_alive();
  EXPECT_TRUE(transport.closed);

  transport = MemoryTransport();
  shared->stopping = false;
  connection = std::make_unique<Connection>(*shared, transport, "unix", true, now);
  get("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab");
  connection->stop_keep_alive();
  turn();
  EXPECT_EQ(transport.written.substr(0, 12), "HTTP/1.1 503");
  now += 2 * kSecond;
  connection->sweep(now);
  EXPECT_TRUE(transport.closed);
}

TEST_F(ConnectionTest, ABodyThatIsNotNeededAnyMoreLeavesTheTotal) {
  get("GET /later HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_NE(held, nullptr);
  EXPECT_EQ(held->request().body, "abc");
  EXPECT_EQ(shared->body_bytes->load(), 3);
  held->drop_body();
  EXPECT_EQ(held->request().body, "");
  EXPECT_EQ(shared->body_bytes->load(), 0);
  EXPECT_TRUE(held->open());
}

TEST_F(ConnectionTest, RefusedConnectionsSayWhy) {
  open();
  connection->refuse(now);
  EXPECT_NE(transport.written.find("503 Service Unavailable"), std::string::npos);
  EXPECT_NE(transport.written.find("--max-connections"), std::string::npos);
  EXPECT_TRUE(transport.shut_down);
  EXPECT_EQ(shared->counters.connections_refused, 1);
}

}  // namespace
}  // namespace seraph
