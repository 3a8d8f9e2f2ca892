// The load generator of `seraph bench`: HTTP/1.1 requests with streamed answers over plain TCP on one libuv loop, timed
// as vLLM's benchmark client times them (a chunk counts when it has choices). One connection per request.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/result.h"

namespace seraph {

/// "http://host:port/prefix" in its parts.
struct HttpTarget {
  std::string host;
  int port = 80;
  std::string path;  // prefix without trailing slash
};
/// Errors: anything that is not http://.
Result<HttpTarget> parse_http_url(const std::string& url);

struct BenchSample {
  bool ok = false;
  std::string error;
  int64_t prompt_tokens = 0;
  int64_t output_tokens = 0;
  std::string text;    // of the answer
  int64_t due_us = 0;  // when it might have started, had --max-concurrency let it; monotonic, as are all
  int64_t start_us = 0;
  int64_t end_us = 0;              // the last counted chunk
  std::vector<int64_t> chunks_us;  // arrival of each chunk with choices
};

struct LoadPlan {
  HttpTarget target;
  std::string endpoint;                                      // "/v1/chat/completions"
  std::string api_key;                                       // "" : none
  std::vector<std::pair<std::string, std::string>> headers;  // further ones
  std::string request_id_prefix;                             // request i carries x-request-id PREFIXi; "" : none
  std::vector<std::string> bodies;                           // one JSON body per request
  std::vector<int64_t> starts_us;                            // when each may start, from the beginning; same length
  int max_concurrency = 0;                                   // 0: no limit
  std::function<void(int64_t num_done)> on_progress;         // after each answer; may be empty
};

/// Sends everything and waits; the samples are in the order of the bodies. Errors: the address cannot be resolved.
Result<std::vector<BenchSample>> run_load(const LoadPlan& plan);

struct HttpCall {
  HttpTarget target;
  std::string method;  // GET or POST
  std::string path;
  std::string body = {};     // of POST: JSON
  std::string api_key = {};  // "" : none
};
struct HttpAnswer {
  int status = 0;
  std::string body;
};
/// One whole request, whatever its status. Errors: kUnavailable, there was no answer.
Result<HttpAnswer> http_call(const HttpCall& call);

/// One whole GET; the body of a 200.
Result<std::string> http_get(const HttpTarget& target, const std::string& path, const std::string& api_key);

}  // namespace seraph
