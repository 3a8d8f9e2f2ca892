// Routes of vLLM that this server has in order to say why it does not serve them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/errors.h"
#include "daemon/api/prepare.h"
#include "daemon/http/server.h"

namespace seraph {

/// Speech, and the disaggregated token routes unless `options` switches them on.
void add_refused_routes(Router& router, const ApiOptions& options);

/// /v1/systemone: 400 for a body that is wrong, 501 for every other.
std::optional<ApiError> answer_systemone(std::string_view bytes, const PrepareContext& context, std::string& out);

/// The disaggregated token routes.
inline constexpr const char* kScaleOutRoutes[] = {
    "/v1/chat/completions/render", "/v1/completions/render",        "/v1/messages/render",
    "/v1/responses/render",        "/v1/chat/completions/derender", "/v1/completions/derender",
    "/inference/v1/generate",      "/inference/v1/abort_requests",
};

}  // namespace seraph
