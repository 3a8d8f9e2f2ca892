#include "daemon/http/message_parser.h"

#include <algorithm>
#include <utility>

namespace seraph {
namespace {

/// A body of announced size is reserved at once up to this; more only as the bytes really come.
constexpr int64_t kBodyReserveBytes = 1 << 20;
/// llhttp also reads requests of RTSP and ICE.
constexpr std::string_view kProtocol = "HTTP/";

bool equals_ignoring_case(std::string_view a, std::string_view lower) {
  if (a.size() != lower.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] - 'A' + 'a') : a[i];
    if (c != lower[i]) return false;
  }
  return true;
}

/// Digits only; -1 for anything else or more than 18 of them.
int64_t parse_length(std::string_view text) {
  if (text.empty() || text.size() > 18) return -1;
  int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

BodyLease::BodyLease(BodyLease&& other) noexcept
    : total_(std::move(other.total_)), bytes_(std::exchange(other.bytes_, 0)) {}

BodyLease& BodyLease::operator=(BodyLease&& other) noexcept {
  if (this != &other) {
    release();
    total_ = std::move(other.total_);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

bool BodyLease::grow(int64_t bytes, int64_t limit) {
  if (total_->fetch_add(bytes, std::memory_order_relaxed) + bytes > limit) {
    total_->fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  bytes_ += bytes;
  return true;
}

void BodyLease::release() {
  if (total_ && bytes_ != 0) total_->fetch_sub(bytes_, std::memory_order_relaxed);
  bytes_ = 0;
}

/// llhttp's callbacks, handed to the parser that is in `data`.
struct MessageParser::Callbacks {
  static MessageParser& self(llhttp_t* llhttp) { return *static_cast<MessageParser*>(llhttp->data); }

  static int url(llhttp_t* llhttp, const char* at, size_t length) {
    self(llhttp).target_.append(at, length);
    return 0;
  }
  static int field(llhttp_t* llhttp, const char* at, size_t length) {
    MessageParser& parser = self(llhttp);
    return parser.add_header_bytes(parser.name_, at, length);
  }
  static int value(llhttp_t* llhttp, const char* at, size_t length) {
    MessageParser& parser = self(llhttp);
    return parser.add_header_bytes(parser.value_, at, length);
  }
  static int value_complete(llhttp_t* llhttp) { return self(llhttp).end_header(); }
  static int headers_complete(llhttp_t* llhttp) { return self(llhttp).end_head(); }
  static int body(llhttp_t* llhttp, const char* at, size_t length) { return self(llhttp).add_body(at, length); }
  static int chunk_extension(llhttp_t* llhttp, const char*, size_t length) {
    // Extensions mean nothing here, but their bytes count: an endless one is a slow denial of service.
    MessageParser& parser = self(llhttp);
    parser.head_bytes_ += static_cast<int64_t>(length);
    return parser.head_bytes_ > parser.options_.header_bytes_max ? parser.fail(header_bytes_exceeded(parser.options_))
                                                                 : 0;
  }
  static int message_complete(llhttp_t* llhttp) {
    self(llhttp).state_ = State::kComplete;
    return HPE_PAUSED;
  }

  static const llhttp_settings_t* settings() {
    static const llhttp_settings_t kSettings = [] {
      llhttp_settings_t settings;
      llhttp_settings_init(&settings);
      settings.on_url = url;
      settings.on_header_field = field;
      settings.on_header_value = value;
      settings.on_header_value_complete = value_complete;
      settings.on_headers_complete = headers_complete;
      settings.on_body = body;
      settings.on_chunk_extension_name = chunk_extension;
      settings.on_chunk_extension_value = chunk_extension;
      settings.on_message_complete = message_complete;
      return settings;
    }();
    return &kSettings;
  }
};

MessageParser::MessageParser(const HttpOptions& options, BodyBytes body_bytes)
    : options_(options), body_bytes_(std::move(body_bytes)) {
  llhttp_init(&llhttp_, HTTP_REQUEST, Callbacks::settings());
  llhttp_.data = this;
  reset();
}

void MessageParser::reset() {
  llhttp_reset(&llhttp_);
  state_ = State::kIdle;
  head_bytes_ = line_bytes_ = body_size_ = 0;
  first_line_ = true;
  head_end_ = head_complete_ = http_1_0_ = expects_continue_ = discard_body_ = false;
  keep_alive_ = true;
  previous_ = 0;
  protocol_.clear();
  chunked_ = false;
  chunks_ = ChunkScanner();
  header_count_ = 0;
  request_ = HttpRequest{};
  target_.clear();
  name_.clear();
  value_.clear();
  lease_ = BodyLease(body_bytes_);
}

HttpRequest MessageParser::take(BodyLease& lease) {
  lease = std::move(lease_);
  return std::move(request_);
}

int MessageParser::fail(HttpFailure failure) {
  if (state_ != State::kFailed) {
    state_ = State::kFailed;
    failure_ = std::move(failure);
  }
  return HPE_USER;
}

size_t MessageParser::feed(std::string_view bytes) {
  if (state_ == State::kComplete || state_ == State::kFailed) {
    return 0;
  }
  size_t skipped = 0;
  if (state_ == State::kIdle) {
    // A blank line before a request is tolerated (RFC 9112, 2.2), as many as fit the header limit.
    while (skipped < bytes.size() && (bytes[skipped] == '\r' || bytes[skipped] == '\n')) ++skipped;
    head_bytes_ += static_cast<int64_t>(skipped);
    bytes.remove_prefix(skipped);
    if (head_bytes_ > options_.header_bytes_max) {
      fail(header_bytes_exceeded(options_));
      return skipped;
    }
    if (bytes.empty()) return skipped;
    state_ = State::kHead;
  }
  size_t consumed = 0;
  if (state_ == State::kHead) {
    const size_t head = scan_head(bytes);
    if (state_ == State::kFailed) return skipped + head;
    feed_llhttp(bytes.substr(0, head), consumed);
    // The scanner and llhttp must find the same end of the head; if they do not, neither is believed.
    const bool agree = head_complete_ == head_end_ && (state_ != State::kComplete || (head_end_ && consumed == head));
    if (state_ != State::kFailed && !agree) {
      fail(malformed("the end of the headers is not clear"));
    } else if (state_ == State::kHead && head_end_) {
      state_ = State::kBody;
    }
  } else {
    feed_body(bytes, consumed);
  }
  return skipped + consumed;
}

void MessageParser::feed_body(std::string_view bytes, size_t& consumed) {
  if (!chunked_) return feed_llhttp(bytes, consumed);
  bytes = bytes.substr(0, chunks_.scan(bytes));
  if (chunks_.failed()) {
    consumed = bytes.size();
    fail(malformed("a chunk needs a size, and its lines must end with CR LF"));
    return;
  }
  feed_llhttp(bytes, consumed);
  if (state_ == State::kFailed) return;
  const bool complete = state_ == State::kComplete;
  if (complete != chunks_.done() || (complete && consumed != bytes.size())) {
    fail(malformed("the end of the body is not clear"));
  }
}

/// Checks bytes of the head up to its end and returns how many belong to it.
size_t MessageParser::scan_head(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (++head_bytes_ > options_.header_bytes_max) {
      fail(header_bytes_exceeded(options_));
      return i;
    }
    if ((c == '\n') != (previous_ == '\r')) {
      fail(malformed("lines must end with CR LF"));
      return i;
    }
    if (first_line_ && !check_protocol(c)) return i;
    if (c == '\n') {
      first_line_ = false;
      if (line_bytes_ == 0) {
        head_end_ = true;
        return i + 1;
      }
      line_bytes_ = 0;
    } else if (c != '\r') {
      if (line_bytes_++ == 0 && !first_line_ && (c == ' ' || c == '\t')) {
        fail(malformed("folded headers are refused"));
        return i;
      }
    }
    previous_ = c;
  }
  return bytes.size();
}

/// Takes a byte of the request line.
bool MessageParser::check_protocol(char c) {
  if (c == ' ') {
    protocol_.clear();
  } else if (c == '\n') {
    if (protocol_ == kProtocol) return true;
    fail(malformed("the protocol is not HTTP/1.1"));
    return false;
  } else if (protocol_.size() < kProtocol.size()) {
    protocol_ += c;
  }
  return true;
}

void MessageParser::feed_llhttp(std::string_view bytes, size_t& consumed) {
  const llhttp_errno_t error = llhttp_execute(&llhttp_, bytes.data(), bytes.size());
  consumed = bytes.size();
  if (state_ == State::kFailed) {
    return;
  }
  if (error == HPE_PAUSED && state_ == State::kComplete) {
    const char* end = llhttp_get_error_pos(&llhttp_);
    consumed = end ? static_cast<size_t>(end - bytes.data()) : bytes.size();
    return;
  }
  if (error != HPE_OK) {
    const char* reason = llhttp_get_error_reason(&llhttp_);
    fail(malformed(reason && *reason ? reason : "it cannot be parsed"));
  }
}

int MessageParser::add_header_bytes(std::string& part, const char* at, size_t length) {
  if (head_complete_) {
    // A trailer: counted, not kept, because a header that comes after the decision must not change it.
    head_bytes_ += static_cast<int64_t>(length);
    return head_bytes_ > options_.header_bytes_max ? fail(header_bytes_exceeded(options_)) : 0;
  }
  part.append(at, length);
  return 0;
}

int MessageParser::end_header() {
  if (++header_count_ > options_.header_count_max) {
    return fail(header_count_exceeded(options_));
  }
  if (head_complete_) {
    return 0;
  }
  if (name_.empty()) {
    return fail(malformed("a header has no name"));
  }
  for (char& c : name_) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  // A key is compared byte for byte, so the spaces after it stay; elsewhere they mean nothing.
  if (name_ != "authorization") {
    while (!value_.empty() && (value_.back() == ' ' || value_.back() == '\t')) value_.pop_back();
  }
  request_.headers.push_back({std::move(name_), std::move(value_)});
  name_.clear();
  value_.clear();
  return 0;
}

int MessageParser::end_head() {
  head_complete_ = true;
  const int major = llhttp_get_http_major(&llhttp_);
  const int minor = llhttp_get_http_minor(&llhttp_);
  if (major != 1 || minor > 1) {
    return fail(malformed("only HTTP/1.0 and HTTP/1.1 are spoken"));
  }
  const auto method = static_cast<llhttp_method_t>(llhttp_get_method(&llhttp_));
  if (method == HTTP_CONNECT) {
    return fail(malformed("CONNECT is refused"));
  }
  request_.method = llhttp_method_name(method);
  http_1_0_ = minor == 0;
  keep_alive_ = !http_1_0_ && llhttp_should_keep_alive(&llhttp_) != 0;
  // An offer to change the protocol (h2c, websocket) is not taken up: what follows is still HTTP/1.1.
  llhttp_.upgrade = 0;
  return check_framing() ? 0 : HPE_USER;
}

/// Host, Content-Length and Transfer-Encoding must mean the same to every reader on the way here.
bool MessageParser::check_framing() {
  int lengths = 0, encodings = 0, hosts = 0, keys = 0;
  int64_t length = 0;
  for (const HttpHeader& header : request_.headers) {
    if (header.name == "content-length") {
      ++lengths;
      length = parse_length(header.value);
    } else if (header.name == "transfer-encoding") {
      ++encodings;
      if (!equals_ignoring_case(header.value, "chunked") || http_1_0_) {
        fail(malformed("the only transfer encoding is chunked, in HTTP/1.1"));
        return false;
      }
    } else if (header.name == "host") {
      ++hosts;
    } else if (header.name == "authorization") {
      ++keys;
    } else if (header.name == "expect") {
      if (!equals_ignoring_case(header.value, "100-continue")) {
        fail({417, "The only expectation that can be met is 100-continue."});
        return false;
      }
      expects_continue_ = !http_1_0_;
    }
  }
  if (lengths > 1 || encodings > 1 || (lengths > 0 && encodings > 0)) {
    fail(malformed("the length of the body is given twice"));
  } else if (length < 0) {
    fail(malformed("Content-Length must be a number"));
  } else if (hosts > 1 || keys > 1) {
    fail(malformed("Host and Authorization may be given once"));
  } else if (hosts == 0 && !http_1_0_) {
    fail(malformed("the Host header is missing"));
  } else if (length > options_.body_bytes_max) {
    fail(body_bytes_exceeded(options_));
  } else {
    chunked_ = encodings > 0;
    request_.body.reserve(static_cast<size_t>(std::min(length, kBodyReserveBytes)));
  }
  return state_ != State::kFailed;
}

int MessageParser::add_body(const char* at, size_t length) {
  body_size_ += static_cast<int64_t>(length);
  if (body_size_ > options_.body_bytes_max) {
    return fail(body_bytes_exceeded(options_));
  }
  if (discard_body_) {
    return 0;
  }
  if (!lease_.grow(static_cast<int64_t>(length), options_.bodies_bytes_max)) {
    return fail(bodies_bytes_exceeded(options_));
  }
  request_.body.append(at, length);
  return 0;
}

}  // namespace seraph
