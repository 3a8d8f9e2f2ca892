// A request body to Json. simdjson reads what is valid; what it refuses is read again by a small parser that
// accepts what Python's json module accepts (NaN, Infinity, 1e400, a byte order mark, UTF-16 and UTF-32) and
// names the place of an error as that module does, because clients and tests know those answers. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/api/errors.h"
#include "engine/base/json.h"

namespace seraph {

/// A number of two bytes is forty as a Json, so that a body's size alone bounds nothing.
inline constexpr int64_t kBodyValuesMax = 2'000'000;

/// Depth 1000 and kBodyValuesMax values at most. Errors: 400, with the character offset in param.
std::optional<ApiError> parse_body(std::string_view bytes, Json& out);

/// True when a Content-Type says application/json, with or without parameters.
bool is_json_media_type(std::string_view content_type);

/// The refusal of every other media type.
ApiError media_type_error();

}  // namespace seraph
