// CORS: which headers let a browser page of another origin read an answer. The answers are those of vLLM's
// front end, which clients know. Immutable after construction.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/http/server.h"

namespace seraph {

struct PreflightAnswer {
  int status = 200;
  std::string body;  // text/plain; charset=utf-8
  std::vector<HttpHeader> headers;
};

class CorsPolicy {
 public:
  explicit CorsPolicy(const HttpOptions& options);

  /// OPTIONS with Origin and Access-Control-Request-Method. It never needs a key, and is refused (400) for an
  /// origin that is not allowed.
  static bool is_preflight(const HttpRequest& request);
  PreflightAnswer preflight(const HttpRequest& request) const;

  /// Header lines ("name: value\r\n") for an ordinary answer, with Vary. `origin` empty: the request had none.
  std::string answer_headers(std::string_view origin, bool has_cookie) const;

 private:
  bool origin_allowed(std::string_view origin) const;
  bool headers_allowed(std::string_view requested) const;

  bool all_origins_ = false;
  bool all_headers_ = false;
  bool credentials_ = false;
  std::vector<std::string> origins_;
  std::vector<std::string> methods_;
  std::vector<std::string> headers_;  // lower case
  std::string headers_text_;          // sorted, as sent
};

}  // namespace seraph
