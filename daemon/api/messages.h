// Chat messages from a request body into what templates expect: content as one text or as parts, developer as
// system, tool-call arguments as objects, unknown keys dropped. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/errors.h"
#include "engine/base/json.h"

namespace seraph {

/// The schema of `messages`: a list of objects with a role; appends what is wrong.
void check_messages(const Json& messages, const std::string& loc, std::vector<SchemaError>& errors);

struct NormalMessages {
  Json messages;          // array for ChatInput::messages
  std::string last_role;  // of the last message
  std::string last_text;  // its content as text, for `echo`
};

/// REQUIRES: check_messages() found nothing. `as_parts` hands content over as a list of parts. Errors: wrong or
/// unoffered content parts (`model` is the name in "... is not a multimodal model").
std::optional<ApiError> normalise_messages(const Json& messages, bool as_parts, std::string_view model,
                                           NormalMessages& out);

/// Tools in the shape that vLLM hands to templates: type, function {name, description, parameters}, absent ones null.
Json normalise_tools(const Json& tools);

}  // namespace seraph
