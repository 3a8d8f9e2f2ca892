// JSON answers of the `check` commands, one a line. Pure but for standard output.
#pragma once

#include "engine/base/json.h"

namespace seraph {

/// Prints the value and a line break. The line breaks of Unicode, legal within JSON strings, are escaped: readers that
/// split text into lines break there.
void print_json_line(const Json& value);

}  // namespace seraph
