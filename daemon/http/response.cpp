#include "daemon/http/response.h"

#include <charconv>
#include <cstdio>
#include <ctime>

namespace seraph {
namespace {

struct Phrase {
  int status;
  std::string_view text;
};

constexpr Phrase kPhrases[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

template <typename Int>
void append_number(std::string& out, Int value, int base) {
  char digits[24];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, value, base);
  out.append(digits, end.ptr);
}

void append_line(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  for (const char c : value) {
    // A line break in a value would let whoever chose the value write headers of its own.
    const auto byte = static_cast<unsigned char>(c);
    out += (byte < 0x20 && c != '\t') || byte == 0x7f ? ' ' : c;
  }
  out += "\r\n";
}

}  // namespace

std::string_view reason_phrase(int status) {
  for (const Phrase& phrase : kPhrases) {
    if (phrase.status == status) return phrase.text;
  }
  return "Unknown";
}

void append_response_head(std::string& out, const ResponseHead& head) {
  out += "HTTP/1.1 ";
  append_number(out, head.status, 10);
  out += ' ';
  out += reason_phrase(head.status);
  out.append("\r\ndate: ").append(head.date).append("\r\nserver: seraph\r\n");
  if (!head.content_type.empty()) {
    append_line(out, "content-type", head.content_type);
  }
  if (head.framing == Framing::kChunked) {
    out += "transfer-encoding: chunked\r\n";
  } else if (head.framing == Framing::kContentLength && head.status != 204 && head.status != 304) {
    out += "content-length: ";
    append_number(out, head.content_length, 10);
    out += "\r\n";
  }
  if (head.event_stream) {
    out += "cache-control: no-cache\r\nx-accel-buffering: no\r\n";
  }
  out += head.lines;
  if (head.extra) {
    for (const HttpHeader& header : *head.extra) append_line(out, header.name, header.value);
  }
  if (head.close) {
    out += "connection: close\r\n";
  }
  out += "\r\n";
}

void append_chunk(std::string& out, std::string_view bytes) {
  if (bytes.empty()) return;
  append_number(out, bytes.size(), 16);
  out.append("\r\n").append(bytes).append("\r\n");
}

std::string_view DateHeader::text(int64_t unix_seconds) {
  if (unix_seconds != seconds_) {
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto time = static_cast<time_t>(unix_seconds);
    std::tm utc{};
    gmtime_r(&time, &utc);
    char text[64];
    std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[utc.tm_wday], utc.tm_mday,
                  kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    text_ = text;
    seconds_ = unix_seconds;
  }
  return text_;
}

}  // namespace seraph
