// Values of a body brought to the type that a field has, as lax as vLLM's schema library: "5", 5.0 and true are
// integers. What cannot be brought there is an error in that library's words. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/api/errors.h"
#include "engine/base/json.h"

namespace seraph {

/// `loc` is the place that the error names: "body.max_tokens".
std::optional<SchemaError> to_int(Json& value, const std::string& loc);
std::optional<SchemaError> to_bounded_int(Json& value, const std::string& loc, int64_t low, int64_t high);
std::optional<SchemaError> to_float(Json& value, const std::string& loc);
std::optional<SchemaError> to_bool(Json& value, const std::string& loc);

SchemaError string_type(const std::string& loc, const Json& value);
SchemaError list_type(const std::string& loc, const Json& value);
SchemaError dict_type(const std::string& loc, const Json& value);

}  // namespace seraph
