// Bytes of an answer: status line and headers, chunks of a stream, the interim 100. Pure functions that append.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/http/server.h"

namespace seraph {

/// How the body's end is found.
enum class Framing {
  kContentLength,
  kChunked,
  kUntilClose,  // HTTP/1.0 streams
};

struct ResponseHead {
  int status = 200;
  std::string_view content_type;  // "": no such header
  Framing framing = Framing::kContentLength;
  int64_t content_length = 0;
  bool close = false;                              // says Connection: close
  bool event_stream = false;                       // no caching, no buffering in proxies
  std::string_view date;                           // IMF-fixdate
  std::string_view lines;                          // further whole lines ("name: value\r\n")
  const std::vector<HttpHeader>* extra = nullptr;  // control characters in values become spaces
};

std::string_view reason_phrase(int status);
void append_response_head(std::string& out, const ResponseHead& head);
/// "hex length CRLF bytes CRLF". Nothing for empty bytes, which would end the stream.
void append_chunk(std::string& out, std::string_view bytes);

inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
inline constexpr std::string_view kEventStream = "text/event-stream; charset=utf-8";

/// "Sun, 06 Nov 1994 08:49:37 GMT", formatted at most once a second.
class DateHeader {
 public:
  std::string_view text(int64_t unix_seconds);

 private:
  int64_t seconds_ = -1;
  std::string text_;
};

}  // namespace seraph
