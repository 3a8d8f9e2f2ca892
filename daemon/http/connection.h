// One client connection: bytes in -> requests -> handler, answers -> bytes out, in order, with all limits. Knows
// no socket (transport.h). Loop thread.
//
// A connection has one request in hand at a time. While it is answered, further bytes are kept (up to a limit, then
// reading stops), because reading on is the only way to learn that the client went away. Answers are queued
// and written once per loop turn by flush(). Time comes in as an argument.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/http/cors.h"
#include "daemon/http/keys.h"
#include "daemon/http/message_parser.h"
#include "daemon/http/output_queue.h"
#include "daemon/http/path.h"
#include "daemon/http/response.h"
#include "daemon/http/server.h"
#include "daemon/http/transport.h"

namespace seraph {

/// What all connections of a server share. Owned by the server, outlives its connections.
struct HttpShared {
  HttpShared(const HttpOptions& http_options, const Router& http_router);

  const HttpOptions options;
  const Router& router;
  const KeyRing keys;
  const CorsPolicy cors;
  const BodyBytes body_bytes;
  HttpCounters counters;
  DateHeader date;
  bool stopping = false;  // no keep-alive any more
};

class ConnectionExchange;

class Connection {
 public:
  Connection(HttpShared& shared, Transport& transport, std::string peer, bool peer_is_loopback, MonotonicUs now);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Events of the transport.
  void on_bytes(std::string_view bytes, MonotonicUs now);
  /// The client closed its sending side or the connection broke: both mean that it wants no answer any more.
  void on_eof(MonotonicUs now);
  void on_written(bool ok, MonotonicUs now);

  /// Goes on with pipelined requests, writes what is queued, closes what is to be closed.
  void flush(MonotonicUs now);
  /// Looks at the deadlines; called a few times per shortest timeout.
  void sweep(MonotonicUs now);
  /// Answers 503 without reading (too many connections).
  void refuse(MonotonicUs now);
  /// The answer in hand is the last one; without one the connection closes now, also amid a request that comes in.
  void stop_keep_alive();
  /// Closes now; an unfinished answer is cut.
  void abort();
  bool closed() const { return phase_ == Phase::kClosed; }

 private:
  friend class ConnectionExchange;
  enum class Phase {
    kOpen,
    kLingering,  // the last bytes are written; reads and drops what the client still sends, so that it sees them
    kClosed,
  };
  enum class Answer { kNone, kPending, kStreaming };
  /// What of the request the answer depends on, kept because the handler may outlive the parser's state.
  struct AnswerContext {
    bool head_only = false;  // HEAD
    bool http_1_0 = false;
    bool close = false;
    bool plain = false;  // no CORS lines: 401 and preflights
    bool has_cookie = false;
    std::string origin;
    std::string request_id;
    std::string method, path;  // for the access log; kept only when there is one
  };
  struct EarlyAnswer {
    int status = 0;  // 0: the handler answers
    std::string content_type;
    std::string body;
    std::vector<HttpHeader> headers;
  };

  size_t consume(std::string_view bytes, MonotonicUs now);
  bool may_parse() const;
  void on_head(MonotonicUs now);
  void route();
  void dispatch(MonotonicUs now);
  void run_handler();
  void fail(const HttpFailure& failure);
  void read_pipelined(MonotonicUs now);
  void write_some(MonotonicUs now);
  void after_write(MonotonicUs now);
  void linger(MonotonicUs now);
  void refuse_early(int status, std::string body);
  bool stalled(MonotonicUs now);
  int64_t sent_bytes() const;
  int64_t unsent_bytes() const;

  // The exchange's side.
  void respond(int status, std::string_view content_type, std::string body, const std::vector<HttpHeader>& extra);
  void begin_stream(const std::vector<HttpHeader>& extra);
  bool send(std::string_view bytes);
  void end_stream();
  void append_head(ResponseHead head, const std::vector<HttpHeader>& extra);
  void answer_done();
  void drop_exchange();

  HttpShared& shared_;
  Transport& transport_;
  const std::string peer_;
  const bool peer_is_loopback_;

  Phase phase_ = Phase::kOpen;
  MessageParser parser_;
  bool head_seen_ = false;
  std::string input_;  // pipelined bytes that wait for the answer in hand
  bool reading_ = true;

  // The request in hand.
  HttpTarget target_;
  Router::Match match_;
  int32_t key_index_ = -1;
  EarlyAnswer early_;
  AnswerContext context_;
  Answer answer_ = Answer::kNone;
  std::shared_ptr<ConnectionExchange> exchange_;

  // Output.
  OutputQueue output_;
  bool write_pending_ = false;
  int64_t write_pending_bytes_ = 0;
  bool paused_ = false;  // send() returned false: on_drained is owed
  bool cut_ = false;     // the hard limit is passed
  bool close_after_write_ = false;
  bool linger_after_write_ = false;
  bool answered_ = false;  // since the last flush: the idle time begins anew

  // Times.
  MonotonicUs idle_since_us_;
  MonotonicUs request_began_us_ = 0;
  MonotonicUs head_done_us_ = 0;
  MonotonicUs progress_us_;     // when output last moved, or when there was none
  int64_t progress_bytes_ = 0;  // sent_bytes() at that time
  int64_t consumed_bytes_ = 0;  // sent and forgotten by output_
  MonotonicUs linger_until_us_ = 0;
};

}  // namespace seraph
