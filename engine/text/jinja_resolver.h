// Names to slots. Jinja decides at compile time which scope a name belongs to (a `set` in a loop does not leave it, a
// macro sees later assignments of its outer scope, an `if` has no scope); this pass makes the same decisions and
// looks up filters and tests, so that rendering never searches by name.
#pragma once

#include "engine/text/jinja_ast.h"

namespace seraph::jinja {

/// REQUIRES: parse() has filled the program. Throws TemplateError with a position.
void resolve(Program& program);

}  // namespace seraph::jinja
