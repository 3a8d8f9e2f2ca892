#include "daemon/api/coerce.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

namespace seraph {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

bool parse_double(std::string_view text, double& out) {
  text = trimmed(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  return code == std::errc() && end == text.data() + text.size() && !text.empty();
}

/// The nearest int64: what lies beyond is refused by limits that are far inside.
int64_t saturated(double value) {
  constexpr double kEdge = 9223372036854775808.0;
  if (value >= kEdge) return std::numeric_limits<int64_t>::max();
  if (value < -kEdge) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}

}  // namespace

std::optional<SchemaError> to_int(Json& value, const std::string& loc) {
  double number = 0;
  switch (value.kind()) {
    case Json::Kind::kInt:
      return std::nullopt;
    case Json::Kind::kBool:
      value = Json(static_cast<int64_t>(value.as_bool()));
      return std::nullopt;
    case Json::Kind::kDouble:
      number = value.as_double();
      if (!std::isfinite(number)) {
        return SchemaError{"finite_number", loc, "Input should be a finite number", describe(value)};
      }
      break;
    case Json::Kind::kString: {
      const std::string_view text = trimmed(value.as_string());
      int64_t whole = 0;
      const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), whole);
      if (code == std::errc() && end == text.data() + text.size() && !text.empty()) {
        value = Json(whole);
        return std::nullopt;
      }
      if (!parse_double(text, number) || !std::isfinite(number) || number != std::trunc(number)) {
        return SchemaError{"int_parsing", loc, "Input should be a valid integer, unable to parse string as an integer",
                           describe(value)};
      }
      break;
    }
    default:
      return SchemaError{"int_type", loc, "Input should be a valid integer", describe(value)};
  }
  if (number != std::trunc(number)) {
    return SchemaError{"int_from_float", loc, "Input should be a valid integer, got a number with a fractional part",
                       describe(value)};
  }
  value = Json(saturated(number));
  return std::nullopt;
}

std::optional<SchemaError> to_bounded_int(Json& value, const std::string& loc, int64_t low, int64_t high) {
  const std::string shown = describe(value);
  // Beyond 64 bits, where to_int saturates: the edge itself must not pass for what lies behind it.
  const bool above = value.is_double() && value.as_double() >= 9223372036854775808.0;
  const bool below = value.is_double() && value.as_double() < -9223372036854775808.0;
  if (auto error = to_int(value, loc)) return error;
  const bool at_edge_below = value.as_int() == std::numeric_limits<int64_t>::min() && shown != "-9223372036854775808";
  if (value.as_int() < low || below || at_edge_below) {
    const std::string limit = std::to_string(low);
    return SchemaError{"greater_than_equal", loc, "Input should be greater than or equal to " + limit, shown,
                       "'ge': " + limit};
  }
  if (value.as_int() > high || above) {
    const std::string limit = std::to_string(high);
    return SchemaError{"less_than_equal", loc, "Input should be less than or equal to " + limit, shown,
                       "'le': " + limit};
  }
  return std::nullopt;
}

std::optional<SchemaError> to_float(Json& value, const std::string& loc) {
  if (value.is_number()) {
    value = Json(value.as_double());
    return std::nullopt;
  }
  if (value.is_bool()) {
    value = Json(value.as_bool() ? 1.0 : 0.0);
    return std::nullopt;
  }
  if (value.is_string()) {
    double number = 0;
    if (!parse_double(value.as_string(), number)) {
      return SchemaError{"float_parsing", loc, "Input should be a valid number, unable to parse string as a number",
                         describe(value)};
    }
    value = Json(number);
    return std::nullopt;
  }
  return SchemaError{"float_type", loc, "Input should be a valid number", describe(value)};
}

std::optional<SchemaError> to_bool(Json& value, const std::string& loc) {
  if (value.is_bool()) return std::nullopt;
  if (value.is_null() || value.is_array() || value.is_object()) {
    return SchemaError{"bool_type", loc, "Input should be a valid boolean", describe(value)};
  }
  int truth = -1;
  if (value.is_number()) {
    const double number = value.as_double();
    truth = number == 0 ? 0 : number == 1 ? 1 : -1;
  } else {
    std::string word = value.as_string();
    std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return c < 128 ? tolower(c) : c; });
    for (const char* yes : {"1", "on", "t", "true", "y", "yes"}) truth = word == yes ? 1 : truth;
    for (const char* no : {"0", "off", "f", "false", "n", "no"}) truth = word == no ? 0 : truth;
  }
  if (truth < 0) {
    return SchemaError{"bool_parsing", loc, "Input should be a valid boolean, unable to interpret input",
                       describe(value)};
  }
  value = Json(truth == 1);
  return std::nullopt;
}

SchemaError string_type(const std::string& loc, const Json& value) {
  return {"string_type", loc, "Input should be a valid string", describe(value)};
}
SchemaError list_type(const std::string& loc, const Json& value) {
  return {"list_type", loc, "Input should be a valid list", describe(value)};
}
SchemaError dict_type(const std::string& loc, const Json& value) {
  return {"dict_type", loc, "Input should be a valid dictionary", describe(value)};
}

}  // namespace seraph
