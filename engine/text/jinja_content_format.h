// Which form of message content a template expects: one text, or a list of parts it loops over.
#pragma once

#include "engine/text/jinja_ast.h"

namespace seraph::jinja {

/// True when some loop runs over a `content` member or a variable set from one (as vLLM decides between its "string"
/// and "openai" formats).
bool loops_over_content(const Program& program);

}  // namespace seraph::jinja
