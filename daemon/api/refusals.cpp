#include "daemon/api/refusals.h"

#include <memory>

#include "daemon/api/body.h"
#include "daemon/api/fields.h"
#include "daemon/api/task.h"

namespace seraph {

void add_refused_routes(Router& router, const ApiOptions& options) {
  for (const char* path : {"/v1/audio/transcriptions", "/v1/audio/translations", "/v1/audio/speech"}) {
    router.add("POST", path, Access::kKey, [](const std::shared_ptr<Exchange>& exchange) {
      respond_error(*exchange, ApiError{.status = 404,
                                        .type = "NotFoundError",
                                        .message = "this server runs text models; it neither hears nor speaks"});
    });
  }
  if (options.enable_scale_out) return;
  for (const char* path : kScaleOutRoutes) {
    router.add("POST", path, Access::kKey, [](const std::shared_ptr<Exchange>& exchange) {
      respond_error(*exchange,
                    ApiError{.status = 403,
                             .type = "PermissionDeniedError",
                             .message = "Scale-out endpoints are disabled. Restart the server with --enable-scale-out "
                                        "to enable them."});
    });
  }
}

std::optional<ApiError> answer_systemone(std::string_view bytes, const PrepareContext& /*context*/,
                                         std::string& /*out*/) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  if (auto error = check_fields(body, kSystemOne, {})) return error;
  return ApiError{.status = 501,
                  .type = "NotImplementedError",
                  .message = "The model does not support the structured decision API"};
}

}  // namespace seraph
