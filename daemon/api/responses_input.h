// What a body of /v1/responses says in the words of chat: input items to messages, flat tools to nested ones, the
// choice among them, text formats. Pure; any thread.
#pragma once

#include <optional>
#include <string>

#include "daemon/api/errors.h"
#include "engine/base/json.h"

namespace seraph {

/// Appends the messages of `input` (a text or a list of items) to `messages`. Errors: what an item lacks or may not be.
std::optional<ApiError> append_input_messages(const Json& input, Json::Array& messages);

/// Function tools in chat's shape. Tools that a provider would run itself (web search and the like) are left out: no
/// model calls what it is not told about. Their types are appended to `left_out`.
std::optional<ApiError> read_response_tools(const Json& tools, Json::Array& out, std::string& left_out);

/// tool_choice in chat's shape; narrows `tools` for "allowed_tools".
std::optional<ApiError> read_response_tool_choice(const Json& choice, Json::Array& tools, Json& out);

/// `text.format` as response_format; null for plain text.
std::optional<ApiError> read_text_format(const Json& text, Json& out);

}  // namespace seraph
