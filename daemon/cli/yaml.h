// YAML text to a Json value, by libyaml: mappings, sequences and scalars with YAML's usual plain forms (null, true,
// yes, 12, 0.5). One document; anchors, aliases and tags are refused, depth is limited. No thread rules.
#pragma once

#include <string_view>

#include "engine/base/json.h"
#include "engine/base/result.h"

namespace seraph {

/// Errors: kInvalidArgument with line and column. An empty text is null.
Result<Json> parse_yaml(std::string_view text);

}  // namespace seraph
