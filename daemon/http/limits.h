// What is said when a request breaks a limit or the protocol: one status, one sentence that names the limit and
// the option that raises it, in OpenAI's error shape. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "daemon/http/server.h"

namespace seraph {

struct HttpFailure {
  int status = 400;
  std::string message;
};

HttpFailure malformed(std::string_view why);                    // 400
HttpFailure header_bytes_exceeded(const HttpOptions& options);  // 431
HttpFailure header_count_exceeded(const HttpOptions& options);  // 431
HttpFailure body_bytes_exceeded(const HttpOptions& options);    // 413
HttpFailure bodies_bytes_exceeded(const HttpOptions& options);  // 503
HttpFailure header_time_exceeded(const HttpOptions& options);   // 408
HttpFailure body_time_exceeded(const HttpOptions& options);     // 408
HttpFailure connections_exceeded(const HttpOptions& options);   // 503

/// {"error":{"message":...,"type":...,"param":null,"code":status}}
std::string failure_body(const HttpFailure& failure);

}  // namespace seraph
