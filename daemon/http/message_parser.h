// Bytes of a connection -> one HttpRequest after another. llhttp (strict) parses; before it, a scanner of the head
// enforces what request smuggling lives on: lines end in CRLF and nothing else, no folded headers, and both must
// agree where the head ends; ChunkScanner does the same for chunked bodies. Limits on bytes and counts are applied
// while the bytes come, so a request costs no more memory than its limits. One parser per connection, loop thread.
#pragma once

#include <llhttp.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/http/chunk_scanner.h"
#include "daemon/http/limits.h"
#include "daemon/http/server.h"

namespace seraph {

/// Bytes of request bodies held now, by all connections. Shared because requests may outlive the server.
using BodyBytes = std::shared_ptr<std::atomic<int64_t>>;

/// Takes part in BodyBytes as long as it lives.
class BodyLease {
 public:
  BodyLease() = default;
  explicit BodyLease(BodyBytes total) : total_(std::move(total)) {}
  BodyLease(BodyLease&& other) noexcept;
  BodyLease& operator=(BodyLease&& other) noexcept;
  ~BodyLease() { release(); }
  /// False when the total would pass `limit`; nothing is added then.
  bool grow(int64_t bytes, int64_t limit);
  void release();

 private:
  BodyBytes total_;
  int64_t bytes_ = 0;
};

class MessageParser {
 public:
  enum class State {
    kIdle,      // no byte of the next request has come
    kHead,      // in the request line or the headers
    kBody,      // the head is complete: head() may be read
    kComplete,  // take() the request, then reset()
    kFailed,    // failure() says why; nothing more is read
  };

  /// `options` must outlive the parser.
  MessageParser(const HttpOptions& options, BodyBytes body_bytes);
  MessageParser(const MessageParser&) = delete;
  MessageParser& operator=(const MessageParser&) = delete;

  /// Reads up to the end of the head, the end of the message, a failure or the last byte, whichever is first, and
  /// returns how many bytes that took. A request without body is kComplete at the end of its head.
  size_t feed(std::string_view bytes);

  State state() const { return state_; }
  const HttpFailure& failure() const { return failure_; }

  // REQUIRES: state() is kBody or kComplete.
  const HttpRequest& head() const { return request_; }
  const std::string& target() const { return target_; }
  bool keep_alive() const { return keep_alive_; }
  bool http_1_0() const { return http_1_0_; }
  /// The client waits for "100 Continue" before it sends the body.
  bool expects_continue() const { return expects_continue_ && state_ == State::kBody; }

  /// Body bytes that follow are read but not kept: the answer is known already.
  void discard_body() { discard_body_ = true; }
  /// REQUIRES: kComplete. The request (path and query are the caller's to fill) and its share of the body bytes.
  HttpRequest take(BodyLease& lease);
  /// Ready for the next request of the connection.
  void reset();

 private:
  struct Callbacks;

  size_t scan_head(std::string_view bytes);
  bool check_protocol(char c);
  void feed_llhttp(std::string_view bytes, size_t& consumed);
  int fail(HttpFailure failure);
  int end_header();
  int end_head();
  void feed_body(std::string_view bytes, size_t& consumed);
  bool check_framing();
  int add_header_bytes(std::string& part, const char* at, size_t length);
  int add_body(const char* at, size_t length);

  const HttpOptions& options_;
  BodyBytes body_bytes_;
  llhttp_t llhttp_;
  State state_ = State::kIdle;
  HttpFailure failure_;

  // The scanner.
  int64_t head_bytes_ = 0;  // of request line, headers, trailers and chunk extensions
  int64_t line_bytes_ = 0;  // of the line so far, without its end
  bool first_line_ = true;
  bool head_end_ = false;  // the scanner saw the blank line
  char previous_ = 0;
  std::string protocol_;  // what follows the last space of the request line, its beginning
  bool chunked_ = false;
  ChunkScanner chunks_;

  // The message.
  HttpRequest request_;
  std::string target_;
  std::string name_, value_;
  bool head_complete_ = false;  // llhttp saw the blank line
  bool keep_alive_ = true;
  bool http_1_0_ = false;
  bool expects_continue_ = false;
  bool discard_body_ = false;
  int64_t body_size_ = 0;  // also counts discarded bytes
  int header_count_ = 0;
  BodyLease lease_;
};

}  // namespace seraph
