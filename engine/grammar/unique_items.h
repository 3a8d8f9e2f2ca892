// Equality of JSON values as JSON Schema means it, and `uniqueItems`, the one keyword that no automaton can check.
#pragma once

#include <string_view>

#include "engine/base/json.h"

namespace seraph::grammar {

/// 1 equals 1.0; objects are equal whatever the order of their members.
bool json_equal(const Json& a, const Json& b);

/// `array` is the text of a JSON array up to the beginning of an item, `item` that item's text. True when the item
/// differs from all before it.
bool last_item_is_unique(std::string_view array, std::string_view item);

}  // namespace seraph::grammar
