#include "daemon/api/task.h"

#include <string>
#include <utility>

#include "daemon/api/answer.h"

namespace seraph {

namespace {

void respond_with(Exchange& exchange, const ApiError& error, std::string body) {
  std::vector<HttpHeader> extra;
  if (error.retry_after_s > 0) extra.push_back({"retry-after", std::to_string(error.retry_after_s)});
  exchange.respond(error.status, "application/json", std::move(body), std::move(extra));
}

}  // namespace

void respond_error(Exchange& exchange, const ApiError& error) { respond_with(exchange, error, error_json(error)); }

void respond_error(Exchange& exchange, const ApiError& error, Endpoint endpoint) {
  respond_with(exchange, error, error_body(endpoint, error));
}

ApiError shutting_down_error() {
  return ApiError{
      .status = 503, .type = "ServiceUnavailableError", .message = "the server is shutting down", .retry_after_s = 5};
}

}  // namespace seraph
