#include "daemon/http/limits.h"

#include "daemon/http/response.h"
#include "engine/base/json.h"

namespace seraph {
namespace {

std::string seconds(int64_t ms) {
  std::string text = std::to_string(ms / 1000);
  if (ms % 1000 != 0) {
    text += '.' + std::to_string(1000 + ms % 1000).substr(1);
  }
  return text;
}

}  // namespace

HttpFailure malformed(std::string_view why) { return {400, "Invalid HTTP request: " + std::string(why)}; }

HttpFailure header_bytes_exceeded(const HttpOptions& options) {
  return {431, "The request line and headers are larger than " + std::to_string(options.header_bytes_max) +
                   " bytes, the limit set by --max-header-bytes."};
}

HttpFailure header_count_exceeded(const HttpOptions& options) {
  return {431, "The request has more than " + std::to_string(options.header_count_max) +
                   " headers, the limit set by --max-header-count."};
}

HttpFailure body_bytes_exceeded(const HttpOptions& options) {
  return {413, "The request body is larger than " + std::to_string(options.body_bytes_max) +
                   " bytes, the limit set by --max-body-bytes."};
}

HttpFailure bodies_bytes_exceeded(const HttpOptions& options) {
  return {503, "The request bodies held by the server would exceed " + std::to_string(options.bodies_bytes_max) +
                   " bytes, the limit set by --max-bodies-bytes; try again later."};
}

HttpFailure header_time_exceeded(const HttpOptions& options) {
  return {408, "The request headers were not complete within " + seconds(options.header_timeout_ms) +
                   " s, the limit set by --header-timeout."};
}

HttpFailure body_time_exceeded(const HttpOptions& options) {
  return {408, "The request body was not complete within " + seconds(options.body_timeout_ms) +
                   " s, the limit set by --body-timeout."};
}

HttpFailure connections_exceeded(const HttpOptions& options) {
  return {503, "The server has " + std::to_string(options.connections_max) +
                   " open connections, the limit set by --max-connections; try again later."};
}

std::string failure_body(const HttpFailure& failure) {
  std::string out = "{\"error\":{\"message\":";
  append_json_string(out, failure.message);
  out += ",\"type\":";
  append_json_string(out, reason_phrase(failure.status));
  out += ",\"param\":null,\"code\":" + std::to_string(failure.status) + "}}";
  return out;
}

}  // namespace seraph
