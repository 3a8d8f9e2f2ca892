#include "daemon/http/message_parser.h"

#include <gtest/gtest.h>

#include <random>

namespace seraph {
namespace {

struct Parsed {
  std::vector<HttpRequest> requests;
  std::vector<std::string> targets;
  int status = 0;  // of the failure
  std::string message;
};

/// Feeds the bytes in pieces of the given sizes (then in one go) until a failure or the end.
Parsed parse(std::string_view bytes, const HttpOptions& options = {}, const std::vector<size_t>& pieces = {}) {
  MessageParser parser(options, std::make_shared<std::atomic<int64_t>>(0));
  Parsed result;
  size_t piece = 0;
  while (!bytes.empty()) {
    const size_t size = std::min(bytes.size(), piece < pieces.size() ? pieces[piece++] : bytes.size());
    std::string_view part = bytes.substr(0, size);
    bytes.remove_prefix(size);
    while (!part.empty()) {
      // A copy of exactly this size, so that a read past the end is seen by the address sanitizer.
      const std::vector<char> copy(part.begin(), part.end());
      part.remove_prefix(parser.feed(std::string_view(copy.data(), copy.size())));
      if (parser.state() == MessageParser::State::kFailed) {
        result.status = parser.failure().status;
        result.message = parser.failure().message;
        return result;
      }
      if (parser.state() == MessageParser::State::kComplete) {
        result.targets.push_back(parser.target());
        BodyLease lease;
        result.requests.push_back(parser.take(lease));
        parser.reset();
      }
    }
  }
  return result;
}

constexpr std::string_view kTwo =
    "POST /v1/a HTTP/1.1\r\nHost: h\r\nX-One:  two \r\nContent-Length: 5\r\n\r\nhello"
    "\r\n"
    "PUT /b?c=d HTTP/1.1\r\nhost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    "4;name=value\r\nWiki\r\n5\r\npedia\r\n0\r\nTrailer: x\r\n\r\n"
    "GET /c HTTP/1.1\r\nHost: h\r\n\r\n";

void expect_two(const Parsed& parsed) {
  ASSERT_EQ(parsed.status, 0) << parsed.message;
  ASSERT_EQ(parsed.requests.size(), 3u);
  EXPECT_EQ(parsed.requests[0].method, "POST");
  EXPECT_EQ(parsed.targets[0], "/v1/a");
  EXPECT_EQ(parsed.requests[0].header("x-one"), "two");
  EXPECT_EQ(parsed.requests[0].body, "hello");
  EXPECT_EQ(parsed.requests[1].method, "PUT");
  EXPECT_EQ(parsed.requests[1].body, "Wikipedia");
  EXPECT_EQ(parsed.requests[1].header("trailer"), "");
  EXPECT_EQ(parsed.targets[1], "/b?c=d");
  EXPECT_EQ(parsed.requests[2].body, "");
}

TEST(MessageParser, ReadsRequestsOneAfterAnother) { expect_two(parse(kTwo)); }

TEST(MessageParser, AnyCutOfTheBytesGivesTheSameRequests) {
  expect_two(parse(kTwo, {}, std::vector<size_t>(kTwo.size(), 1)));
  for (size_t cut = 1; cut < kTwo.size(); ++cut) expect_two(parse(kTwo, {}, {cut}));
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    std::vector<size_t> pieces;
    for (size_t total = 0; total < kTwo.size(); total += pieces.back()) pieces.push_back(1 + random() % 20);
    expect_two(parse(kTwo, {}, pieces));
  }
}

TEST(MessageParser, RefusesWhatSmugglingLivesOn) {
  const char* cases[] = {
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\nabc",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3 0\r\n\r\nabc",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\nabc",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0b"
      "chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "GET / HTTP/1.1\nHost: h\n\n",
      "GET / HTTP/1.1\r\nHost: h\n\r\n",
      "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: h\r\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: h\r\n A: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: h\r\n: empty\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: h\r\nA\x01: b\r\n\r\n",
      "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
      "GET / HTTP/0.9\r\nHost: h\r\n\r\n",
      "GET /\r\n\r\n",
      "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET http://h/ HTTP/1.1\r\nA: b\r\n\r\n",
      "SETUP / RTSP/1.0\r\nHost: h\r\n\r\n",
      "GET / RTSP/1.0\r\nHost: h\r\n\r\n",
      "GET / ICE/1.0\r\nHost: h\r\n\r\n",
      "SOURCE / ICE/1.0\r\nHost: h\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a\n\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n",
      "hello\r\n\r\n",
      "\x16\x03\x01\x02",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
  };
  for (const char* bytes : cases) {
    const Parsed parsed = parse(bytes);
    EXPECT_EQ(parsed.status, 400) << bytes;
    EXPECT_TRUE(parsed.requests.empty()) << bytes;
    const Parsed slow = parse(bytes, {}, std::vector<size_t>(std::string_view(bytes).size(), 1));
    EXPECT_EQ(slow.status, 400) << bytes;
    EXPECT_TRUE(slow.requests.empty()) << bytes;
  }
}

TEST(MessageParser, LimitsHoldExactly) {
  HttpOptions options;
  options.header_bytes_max = 200;
  options.header_count_max = 4;
  options.body_bytes_max = 10;
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\nA: ";
  EXPECT_EQ(parse(head + std::string(200 - head.size() - 4, 'x') + "\r\n\r\n", options).status, 0);
  EXPECT_EQ(parse(head + std::string(200 - head.size() - 3, 'x') + "\r\n\r\n", options).status, 431);
  EXPECT_EQ(parse(std::string(201, '\n'), options).status, 431);
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", options).status, 0);
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", options).status, 431);
  EXPECT_EQ(parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789", options).status, 0);
  EXPECT_EQ(parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n", options).status, 413);
  const std::string chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(parse(chunked + "a\r\n0123456789\r\n0\r\n\r\n", options).status, 0);
  EXPECT_EQ(parse(chunked + "b\r\n0123456789a\r\n0\r\n\r\n", options).status, 413);
  EXPECT_EQ(parse(chunked + "1;" + std::string(300, 'e') + "\r\na\r\n0\r\n\r\n", options).status, 431);
  EXPECT_EQ(parse(chunked + "0\r\nT: " + std::string(300, 't') + "\r\n\r\n", options).status, 431);
  EXPECT_EQ(parse(chunked + "0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", options).status, 431);
}

TEST(MessageParser, AllBodiesTogetherHaveALimit) {
  HttpOptions options;
  options.bodies_bytes_max = 8;
  const auto total = std::make_shared<std::atomic<int64_t>>(0);
  MessageParser one(options, total), two(options, total);
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
  one.feed(head);
  one.feed("hello");
  ASSERT_EQ(one.state(), MessageParser::State::kComplete);
  EXPECT_EQ(total->load(), 5);
  two.feed(head);
  two.feed("hello");
  EXPECT_EQ(two.state(), MessageParser::State::kFailed);
  EXPECT_EQ(two.failure().status, 503);
  {
    BodyLease lease;
    const HttpRequest request = one.take(lease);
    one.reset();
    EXPECT_EQ(total->load(), 5);
  }
  EXPECT_EQ(total->load(), 0);
  EXPECT_NE(two.failure().message.find("--max-bodies-bytes"), std::string::npos) << two.failure().message;
}

TEST(MessageParser, DiscardedBodiesAreNotKept) {
  HttpOptions options;
  const auto total = std::make_shared<std::atomic<int64_t>>(0);
  MessageParser parser(options, total);
  parser.feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(parser.expects_continue());
  parser.discard_body();
  parser.feed("hello");
  EXPECT_EQ(parser.state(), MessageParser::State::kComplete);
  EXPECT_EQ(total->load(), 0);
  BodyLease lease;
  EXPECT_EQ(parser.take(lease).body, "");
}

TEST(MessageParser, OtherExpectationsCannotBeMet) {
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: h\r\nExpect: miracles\r\n\r\n").status, 417);
}

TEST(MessageParser, UpgradesAreIgnored) {
  const Parsed parsed = parse(
      "GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n"
      "GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(parsed.status, 0);
  EXPECT_EQ(parsed.requests.size(), 2u);
}

TEST(MessageParser, KeepAliveFollowsTheVersionAndTheHeader) {
  const std::pair<const char*, bool> cases[] = {
      {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n", false},
      {"GET / HTTP/1.0\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false},
  };
  for (const auto& [bytes, keep_alive] : cases) {
    HttpOptions options;
    MessageParser parser(options, std::make_shared<std::atomic<int64_t>>(0));
    parser.feed(bytes);
    ASSERT_EQ(parser.state(), MessageParser::State::kComplete) << bytes;
    EXPECT_EQ(parser.keep_alive(), keep_alive) << bytes;
  }
}

}  // namespace
}  // namespace seraph
