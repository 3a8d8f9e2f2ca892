// The output side of a connection: heads, chunks, the one write per loop turn, what follows a write.
#include <openssl/rand.h>

#include <array>
#include <utility>

#include "daemon/http/connection.h"
#include "daemon/http/exchange.h"

namespace seraph {
namespace {

/// Parts of one writev; more than a turn of one connection produces in practice.
constexpr size_t kPartsMax = 64;
/// Background writes are cut into slices so that the limits see progress.
constexpr int64_t kSliceBytes = 128 << 10;

std::string random_hex_id() {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::array<unsigned char, 16> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  std::string id;
  for (const unsigned char byte : bytes) {
    id += kDigits[byte >> 4];
    id += kDigits[byte & 15];
  }
  return id;
}

bool names_request_id(const std::vector<HttpHeader>& headers) {
  for (const HttpHeader& header : headers) {
    if (header.name == "x-request-id") return true;
  }
  return false;
}

}  // namespace

int64_t Connection::unsent_bytes() const {
  return output_.bytes() - (write_pending_ ? write_pending_bytes_ - transport_.unsent_bytes() : 0);
}

int64_t Connection::sent_bytes() const {
  return consumed_bytes_ + (write_pending_ ? write_pending_bytes_ - transport_.unsent_bytes() : 0);
}

void Connection::append_head(ResponseHead head, const std::vector<HttpHeader>& extra) {
  const int response_class = head.status / 100;
  if (response_class >= 0 && response_class < 6) {
    ++shared_.counters.responses_by_class[response_class];
  }
  if (shared_.options.access_log) {
    shared_.options.access_log(
        {.peer = peer_, .method = context_.method, .path = context_.path, .status = head.status});
  }
  std::string lines;
  if (!context_.plain) {
    lines = shared_.cors.answer_headers(context_.origin, context_.has_cookie);
  }
  if (shared_.options.request_id_headers && !names_request_id(extra)) {
    lines += "x-request-id: " + (context_.request_id.empty() ? random_hex_id() : context_.request_id) + "\r\n";
  }
  context_.close = context_.close || shared_.stopping || head.framing == Framing::kUntilClose;
  head.close = context_.close;
  head.date = shared_.date.text(unix_time_us() / 1'000'000);
  head.lines = lines;
  head.extra = &extra;
  append_response_head(output_.tail(), head);
  output_.commit();
}

void Connection::respond(int status, std::string_view content_type, std::string body,
                         const std::vector<HttpHeader>& extra) {
  if (answer_ == Answer::kStreaming) {
    end_stream();  // the status is sent already; the best that is left is an end
    return;
  }
  if (answer_ != Answer::kPending) {
    return;
  }
  ResponseHead head;
  head.status = status;
  head.content_type = content_type;
  head.content_length = static_cast<int64_t>(body.size());
  append_head(head, extra);
  if (!context_.head_only && status != 204 && status != 304) {
    output_.append(std::move(body));
  }
  answer_done();
}

void Connection::begin_stream(const std::vector<HttpHeader>& extra) {
  if (answer_ != Answer::kPending) {
    return;
  }
  ResponseHead head;
  head.content_type = kEventStream;
  head.framing = context_.http_1_0 ? Framing::kUntilClose : Framing::kChunked;
  head.event_stream = true;
  append_head(head, extra);
  answer_ = Answer::kStreaming;
}

bool Connection::send(std::string_view bytes) {
  if (answer_ != Answer::kStreaming) {
    return false;
  }
  if (!context_.head_only) {
    std::string& out = output_.tail();
    if (context_.http_1_0) {
      out += bytes;
    } else {
      append_chunk(out, bytes);
    }
    output_.commit();
  }
  transport_.request_flush();
  const int64_t unsent = unsent_bytes();
  if (unsent > shared_.options.unsent_hard_bytes) {
    cut_ = true;  // carried out by flush(): on_closed must not run inside the producer's call
  }
  if (unsent > shared_.options.unsent_soft_bytes) {
    paused_ = true;
  }
  return !cut_ && !paused_;
}

void Connection::end_stream() {
  if (answer_ == Answer::kPending) {
    begin_stream({});
  }
  if (!context_.head_only && !context_.http_1_0) {
    output_.tail() += kLastChunk;
    output_.commit();
  }
  answer_done();
}

void Connection::answer_done() {
  answer_ = Answer::kNone;
  paused_ = false;
  answered_ = true;
  if (context_.close || shared_.stopping) {
    close_after_write_ = true;
    input_.clear();
  }
  const std::shared_ptr<ConnectionExchange> exchange = std::move(exchange_);
  exchange_ = nullptr;
  if (exchange) {
    exchange->detach();
  }
  transport_.request_flush();
}

void Connection::write_some(MonotonicUs now) {
  if (phase_ != Phase::kOpen || write_pending_ || output_.empty()) {
    return;
  }
  std::array<std::string_view, kPartsMax> parts;
  const size_t count = output_.parts(parts, output_.bytes());
  const int64_t sent = transport_.try_write(std::span(parts.data(), count));
  if (sent < 0) {
    abort();
    return;
  }
  output_.consume(sent);
  consumed_bytes_ += sent;
  if (output_.empty()) {
    progress_us_ = now;
    return;
  }
  const size_t rest = output_.parts(parts, kSliceBytes);
  write_pending_bytes_ = 0;
  for (size_t i = 0; i < rest; ++i) {
    write_pending_bytes_ += static_cast<int64_t>(parts[i].size());
  }
  output_.pin();
  write_pending_ = true;
  transport_.start_write(std::span(parts.data(), rest));
}

void Connection::on_written(bool ok, MonotonicUs now) {
  if (phase_ == Phase::kClosed) {
    return;
  }
  output_.unpin();
  output_.consume(write_pending_bytes_);
  consumed_bytes_ += write_pending_bytes_;
  write_pending_ = false;
  if (!ok) {
    abort();
    return;
  }
  flush(now);
}

void Connection::after_write(MonotonicUs now) {
  if (phase_ != Phase::kOpen) {
    return;
  }
  if (output_.empty() && !write_pending_ && close_after_write_) {
    if (linger_after_write_) {
      linger(now);
    } else {
      abort();
    }
    return;
  }
  if (paused_ && !cut_ && exchange_ && unsent_bytes() < shared_.options.unsent_soft_bytes / 2) {
    paused_ = false;
    const std::shared_ptr<ConnectionExchange> exchange = exchange_;
    exchange->drained();
  }
  if (!input_.empty() && may_parse()) {
    transport_.request_flush();  // the write made room for the requests that wait
  }
}

}  // namespace seraph
