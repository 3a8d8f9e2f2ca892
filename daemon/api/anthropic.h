// POST /v1/messages and /v1/messages/count_tokens, Anthropic's API: the body becomes a chat body, so that templates,
// tools, constraints and sampling are chat's. Preparing: any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/answer.h"
#include "daemon/api/errors.h"
#include "daemon/api/prepare.h"

namespace seraph {

std::optional<ApiError> prepare_anthropic(std::string_view bytes, const PrepareContext& context,
                                          PreparedGeneration& out);

/// {"input_tokens":..}
std::optional<ApiError> answer_count_tokens(std::string_view bytes, const PrepareContext& context, std::string& out);

/// Loop thread.
std::unique_ptr<AnswerFormat> make_anthropic_format(AnswerFacts facts);

/// {"type":"error","error":{"type","message",...}}; the type follows from the status, as Anthropic names it.
std::string anthropic_error_json(const ApiError& error);

}  // namespace seraph
