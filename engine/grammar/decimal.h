// Exact decimal numbers, as JSON writes them: what minimum, multipleOf, enum and const compare with. Values; pure.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/json.h"

namespace seraph::grammar {

/// sign * digits * 10^exponent; digits without leading or trailing zeros, "" for zero (which is never negative).
struct Decimal {
  bool negative = false;
  std::string digits;
  int64_t exponent = 0;

  bool is_zero() const { return digits.empty(); }
  bool is_integer() const { return is_zero() || exponent >= 0; }
  friend bool operator==(const Decimal&, const Decimal&) = default;
};

/// Throws CompileFailure for numbers with more than a few hundred digits before or behind the point.
Decimal parse_decimal(std::string_view text);
Decimal decimal_of(const Json& number);
int compare(const Decimal& a, const Decimal& b);
bool is_multiple(const Decimal& value, const Decimal& of);
/// Digits before the point ("0" when there are none) and behind it (no trailing zeros), without the sign.
std::string integer_part(const Decimal& value);
std::string fraction_part(const Decimal& value);

}  // namespace seraph::grammar
