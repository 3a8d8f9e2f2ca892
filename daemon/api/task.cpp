#include "daemon/api/task.h"

#include <string>
#include <utility>

namespace seraph {

void respond_error(Exchange& exchange, const ApiError& error) {
  std::vector<HttpHeader> extra;
  if (error.retry_after_s > 0) extra.push_back({"retry-after", std::to_string(error.retry_after_s)});
  exchange.respond(error.status, "application/json", error_json(error), std::move(extra));
}

ApiError shutting_down_error() {
  return ApiError{
      .status = 503, .type = "ServiceUnavailableError", .message = "the server is shutting down", .retry_after_s = 5};
}

}  // namespace seraph
