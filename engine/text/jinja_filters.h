// The part of the filter table that lives in jinja_sequence_filters.cpp.
#pragma once

#include <string_view>

#include "engine/text/jinja_value.h"

namespace seraph::jinja {

/// Null when it is no filter on sequences.
Builtin find_sequence_filter(std::string_view name);

}  // namespace seraph::jinja
