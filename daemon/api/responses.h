// POST /v1/responses: the body becomes a chat body, so that templates, tools, constraints and sampling are chat's; what
// the answer repeats of the request and what must be kept for later is held here. Preparing: any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/answer.h"
#include "daemon/api/errors.h"
#include "daemon/api/prepare.h"
#include "daemon/store/store.h"

namespace seraph {

/// What an answer of /v1/responses repeats of its request, and what it is stored with.
struct ResponsesRequest {
  Json body;                 // as sent, checked
  Json::Array conversation;  // chat messages without instructions: those of previous_response_id, then the input
  std::string tool_choice;   // JSON, as the answer shows it
  bool store = true;
  bool background = false;  // the client is answered at once and asks for the outcome later
};

/// Looks up previous_response_id among the responses of out.owner. Errors: 400, 404 in OpenAI's shape.
std::optional<ApiError> prepare_responses(std::string_view bytes, const PrepareContext& context,
                                          PreparedGeneration& out);

/// Writes the answer and keeps it in facts.responses when the request says so. Loop thread.
std::unique_ptr<AnswerFormat> make_responses_format(AnswerFacts facts);

/// The answer to a DELETE.
std::string deleted_response_json(std::string_view id);
/// 429: so many run in the background.
ApiError too_many_responses(int64_t limit);
/// 404 for an id that is not stored (any more).
ApiError unknown_response(std::string_view id);

}  // namespace seraph
