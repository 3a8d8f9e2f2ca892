// A chat answer's text, reasoning and tool calls as JSON: the message of a whole answer, the deltas of a stream.
// Clients are strict about the latter: the first delta of a call has id, type and name, later ones have none of these
// keys; a key without a value is absent, never null. Append-only; loop thread.
#pragma once

#include <string>
#include <string_view>

#include "daemon/api/answer.h"

namespace seraph {

/// The members of "delta" (no braces) for what the parsers made of the text.
void append_parsed_delta(std::string& out, const ParsedDeltas& parsed);

/// The members of "message" behind "role", with a comma in front. `echo_text` precedes the content.
void append_message(std::string& out, const Choice& choice, std::string_view echo_text);

}  // namespace seraph
