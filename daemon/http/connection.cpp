#include "daemon/http/connection.h"

#include <exception>
#include <utility>

#include "daemon/http/exchange.h"

namespace seraph {
namespace {

/// Pipelined bytes kept while an answer is in hand; at the limit reading stops until half of them are worked off.
constexpr size_t kInputBytesMax = 128 << 10;
/// How long a client gets to read the error that closes its connection.
constexpr MonotonicUs kLingerUs = 1'000'000;
constexpr std::string_view kJson = "application/json";

/// Only visible ASCII of modest length is echoed: the id ends up in headers and logs of others.
bool echoable(std::string_view id) {
  if (id.empty() || id.size() > 128) return false;
  for (const char c : id) {
    if (c < 0x21 || c > 0x7e) return false;
  }
  return true;
}

}  // namespace

HttpShared::HttpShared(const HttpOptions& http_options, const Router& http_router)
    : options(http_options),
      router(http_router),
      keys(options.api_keys),
      cors(options),
      body_bytes(std::make_shared<std::atomic<int64_t>>(0)) {}

Connection::Connection(HttpShared& shared, Transport& transport, std::string peer, bool peer_is_loopback,
                       MonotonicUs now)
    : shared_(shared),
      transport_(transport),
      peer_(std::move(peer)),
      peer_is_loopback_(peer_is_loopback),
      parser_(shared.options, shared.body_bytes),
      idle_since_us_(now),
      progress_us_(now) {}

Connection::~Connection() {
  phase_ = Phase::kClosed;
  drop_exchange();
}

void Connection::on_bytes(std::string_view bytes, MonotonicUs now) {
  if (phase_ != Phase::kOpen || close_after_write_) {
    return;
  }
  if (input_.empty()) {
    bytes.remove_prefix(consume(bytes, now));
  }
  if (phase_ != Phase::kOpen || close_after_write_) {
    return;
  }
  input_.append(bytes);
  if (input_.size() > kInputBytesMax && reading_) {
    reading_ = false;
    transport_.set_reading(false);
  }
}

bool Connection::may_parse() const {
  // The soft limit also holds here: a client that pipelines and never reads must not pile up answers.
  return phase_ == Phase::kOpen && answer_ == Answer::kNone && !close_after_write_ &&
         unsent_bytes() <= shared_.options.unsent_soft_bytes;
}

/// Parses and answers as many requests as can be; returns how many bytes that took.
size_t Connection::consume(std::string_view bytes, MonotonicUs now) {
  const size_t size = bytes.size();
  while (!bytes.empty() && may_parse()) {
    const bool fresh = parser_.state() == MessageParser::State::kIdle;
    bytes.remove_prefix(parser_.feed(bytes));
    const MessageParser::State state = parser_.state();
    if (fresh && state != MessageParser::State::kIdle) {
      request_began_us_ = now;
    }
    if (state == MessageParser::State::kFailed) {
      fail(parser_.failure());
      break;
    }
    const bool head_known = state == MessageParser::State::kBody || state == MessageParser::State::kComplete;
    if (head_known && !head_seen_) {
      on_head(now);
    }
    if (state == MessageParser::State::kComplete && answer_ == Answer::kNone && !close_after_write_) {
      dispatch(now);
    }
  }
  return size - bytes.size();
}

/// Decides before the body comes, so that a body nobody may send is never kept.
void Connection::on_head(MonotonicUs now) {
  head_seen_ = true;
  head_done_us_ = now;
  ++shared_.counters.requests_total;
  const HttpRequest& head = parser_.head();
  context_ = AnswerContext{};
  context_.head_only = head.method == "HEAD";
  context_.http_1_0 = parser_.http_1_0();
  context_.close = !parser_.keep_alive();
  context_.has_cookie = !head.header("cookie").empty();
  context_.origin = head.header("origin");
  if (shared_.options.request_id_headers && echoable(head.header("x-request-id"))) {
    context_.request_id = head.header("x-request-id");
  }
  if (shared_.options.access_log) {
    context_.method = head.method;
    context_.path = parser_.target().substr(0, parser_.target().find('?'));
  }
  early_ = EarlyAnswer{};
  Result<HttpTarget> target = parse_target(parser_.target(), shared_.options.root_path);
  if (!target.ok()) {
    fail({400, target.error().message});
    return;
  }
  target_ = std::move(*target);
  route();
  if (early_.status != 0) {
    parser_.discard_body();
  }
  if (!parser_.expects_continue()) {
    return;
  }
  if (early_.status == 0) {
    output_.tail() += kContinue;
    output_.commit();
    transport_.request_flush();
    return;
  }
  // The body has not been sent and is not wanted.
  context_.close = true;
  linger_after_write_ = true;
  answer_ = Answer::kPending;
  respond(early_.status, early_.content_type, std::move(early_.body), early_.headers);
}

void Connection::refuse_early(int status, std::string body) {
  early_.status = status;
  early_.content_type = kJson;
  early_.body = std::move(body);
}

/// Key first, then whether the path or the method exists: a stranger learns no more than that it is one.
void Connection::route() {
  const HttpRequest& head = parser_.head();
  if (CorsPolicy::is_preflight(head)) {
    PreflightAnswer preflight = shared_.cors.preflight(head);
    early_ = {preflight.status, "text/plain; charset=utf-8", std::move(preflight.body), std::move(preflight.headers)};
    context_.plain = true;
    return;
  }
  match_ = shared_.router.find(head.method, target_.path);
  key_index_ = shared_.keys.find(head.header("authorization"));
  if (key_index_ < 0 && match_.access == Access::kAnyHeader) {
    key_index_ = shared_.keys.find_bare(head.header("x-api-key"));
  }
  const bool known = match_.handler != nullptr || !match_.allowed_methods.empty();
  if (match_.access != Access::kOpen && !shared_.keys.empty() && key_index_ < 0) {
    refuse_early(401, "{\"error\":\"Unauthorized\"}");
    context_.plain = true;
  } else if (match_.handler == nullptr && match_.allowed_methods.empty()) {
    refuse_early(404, "{\"detail\":\"Not Found\"}");
  } else if (match_.handler == nullptr) {
    refuse_early(405, "{\"detail\":\"Method Not Allowed\"}");
    early_.headers.push_back({"allow", match_.allowed_methods});
  }
  if (known && early_.status != 0 && shared_.options.refusal_log) {
    shared_.options.refusal_log({peer_, head.method, target_.path, early_.status});
  }
}

void Connection::dispatch(MonotonicUs now) {
  BodyLease lease;
  HttpRequest request = parser_.take(lease);
  parser_.reset();
  head_seen_ = false;
  answer_ = Answer::kPending;
  if (early_.status != 0) {
    respond(early_.status, early_.content_type, std::move(early_.body), early_.headers);
    return;
  }
  request.path = std::move(target_.path);
  request.query = std::move(target_.query);
  request.path_tail = std::move(match_.path_tail);
  request.peer = peer_;
  request.peer_is_loopback = peer_is_loopback_;
  request.key_index = key_index_;
  request.key_owner = shared_.keys.owner(key_index_);
  request.arrived_us = now;
  exchange_ = std::make_shared<ConnectionExchange>(*this, std::move(request), std::move(lease));
  run_handler();
}

void Connection::run_handler() {
  const std::shared_ptr<ConnectionExchange> exchange = exchange_;
  try {
    (*match_.handler)(exchange);
  } catch (const std::exception& error) {
    // One request's trouble stays its own: nothing may unwind into the loop.
    exchange->respond(500, kJson, failure_body({500, std::string("The handler failed: ") + error.what()}), {});
  }
}

/// Answers and closes: after a broken or oversized message nobody knows where the next one begins.
void Connection::fail(const HttpFailure& failure) {
  if (!head_seen_) {
    context_ = AnswerContext{};
  }
  context_.close = true;
  linger_after_write_ = true;
  answer_ = Answer::kPending;
  respond(failure.status, kJson, failure_body(failure), {});
}

void Connection::on_eof(MonotonicUs now) {
  if (phase_ == Phase::kClosed) {
    return;
  }
  // What was answered completely may still reach a client that only closed its sending side. An answer in the
  // making is not wanted any more: that is how clients abort.
  const bool answered = phase_ == Phase::kOpen && answer_ == Answer::kNone && unsent_bytes() > 0;
  if (!answered) {
    abort();
    return;
  }
  input_.clear();
  linger_after_write_ = false;
  close_after_write_ = true;
  reading_ = false;
  transport_.set_reading(false);
  flush(now);
}

void Connection::flush(MonotonicUs now) {
  if (phase_ != Phase::kOpen) {
    return;
  }
  if (cut_) {
    ++shared_.counters.slow_readers_cut;
    abort();
    return;
  }
  if (answered_) {
    answered_ = false;
    idle_since_us_ = now;
  }
  read_pipelined(now);
  write_some(now);
  after_write(now);
}

void Connection::read_pipelined(MonotonicUs now) {
  if (!input_.empty() && may_parse()) {
    const std::string bytes = std::move(input_);
    input_.clear();
    const size_t consumed = consume(bytes, now);
    if (phase_ == Phase::kOpen && !close_after_write_) {
      input_ = bytes.substr(consumed);
    }
  }
  if (phase_ == Phase::kOpen && !reading_ && !close_after_write_ && input_.size() <= kInputBytesMax / 2) {
    reading_ = true;
    transport_.set_reading(true);
  }
}

void Connection::sweep(MonotonicUs now) {
  if (phase_ == Phase::kLingering && now >= linger_until_us_) {
    abort();
  }
  if (phase_ != Phase::kOpen) {
    return;
  }
  if (stalled(now)) {
    ++shared_.counters.slow_readers_cut;
    abort();
    return;
  }
  if (answer_ != Answer::kNone) {
    if (exchange_ && exchange_.use_count() == 1) {
      // Every other holder is gone, so nobody can finish this answer.
      exchange_->respond(500, kJson, failure_body({500, "The request was dropped by the server."}), {});
    }
    return;
  }
  if (close_after_write_) {
    return;
  }
  const HttpOptions& options = shared_.options;
  switch (parser_.state()) {
    case MessageParser::State::kHead:
      if (now - request_began_us_ > options.header_timeout_ms * 1000) fail(header_time_exceeded(options));
      break;
    case MessageParser::State::kBody:
      if (now - head_done_us_ > options.body_timeout_ms * 1000) fail(body_time_exceeded(options));
      break;
    default:
      if (unsent_bytes() == 0 && now - idle_since_us_ > options.idle_timeout_ms * 1000) abort();
      break;
  }
}

bool Connection::stalled(MonotonicUs now) {
  const int64_t sent = sent_bytes();
  if (unsent_bytes() == 0 || sent != progress_bytes_) {
    progress_us_ = now;
    progress_bytes_ = sent;
  }
  return now - progress_us_ > shared_.options.stalled_timeout_ms * 1000;
}

void Connection::refuse(MonotonicUs now) {
  ++shared_.counters.connections_refused;
  fail(connections_exceeded(shared_.options));
  flush(now);
}

void Connection::stop_keep_alive() {
  if (phase_ != Phase::kOpen || answer_ != Answer::kNone) {
    return;
  }
  if (parser_.state() == MessageParser::State::kBody && !close_after_write_) {
    fail({503, "The server is shutting down."});
  } else if (unsent_bytes() > 0) {
    close_after_write_ = true;
  } else {
    abort();
  }
}

void Connection::abort() {
  if (phase_ == Phase::kClosed) {
    return;
  }
  phase_ = Phase::kClosed;
  drop_exchange();
  transport_.close();
}

void Connection::drop_exchange() {
  answer_ = Answer::kNone;
  const std::shared_ptr<ConnectionExchange> exchange = std::move(exchange_);
  exchange_ = nullptr;
  if (exchange) {
    exchange->lost();
  }
}

void Connection::linger(MonotonicUs now) {
  phase_ = Phase::kLingering;
  linger_until_us_ = now + kLingerUs;
  if (!reading_) {
    reading_ = true;
    transport_.set_reading(true);
  }
  transport_.shutdown_write();
}

}  // namespace seraph
