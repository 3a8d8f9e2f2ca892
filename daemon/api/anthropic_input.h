// What a body of /v1/messages says in the words of chat: system and content blocks as messages, tools, the choice among
// them. Pure; any thread.
#pragma once

#include <vector>

#include "daemon/api/errors.h"
#include "engine/base/json.h"

namespace seraph {

/// Reads `system` and `messages` into chat messages; appends what is wrong.
void read_anthropic_messages(const Json& body, Json::Array& messages, std::vector<SchemaError>& errors);

/// Reads `tools` and `tool_choice` into `chat`; appends what is wrong.
void read_anthropic_tools(const Json& body, Json& chat, std::vector<SchemaError>& errors);

}  // namespace seraph
