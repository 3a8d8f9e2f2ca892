// The render and derender routes (--enable-scale-out): a request as the body of /inference/v1/generate, and that
// route's answer as the one that the client asked for. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/errors.h"
#include "daemon/api/prepare.h"

namespace seraph {

std::optional<ApiError> answer_render_chat(std::string_view bytes, const PrepareContext& context, std::string& out);
std::optional<ApiError> answer_render_completion(std::string_view bytes, const PrepareContext& context,
                                                 std::string& out);
std::optional<ApiError> answer_render_messages(std::string_view bytes, const PrepareContext& context, std::string& out);
std::optional<ApiError> answer_render_responses(std::string_view bytes, const PrepareContext& context,
                                                std::string& out);

/// Whole answers only: a stream is derendered by who generates it.
std::optional<ApiError> answer_derender_chat(std::string_view bytes, const PrepareContext& context, std::string& out);
std::optional<ApiError> answer_derender_completion(std::string_view bytes, const PrepareContext& context,
                                                   std::string& out);

}  // namespace seraph
