#include "engine/grammar/decimal.h"

#include <algorithm>

#include "engine/grammar/failure.h"

namespace seraph::grammar {
namespace {

constexpr int64_t kDigitsMax = 400;

std::string padded_integer(const Decimal& value, int64_t scale) {
  // value * 10^scale as an integer. REQUIRES: it is one.
  return value.digits + std::string(static_cast<size_t>(value.is_zero() ? 0 : value.exponent + scale), '0');
}

}  // namespace

Decimal parse_decimal(std::string_view text) {
  Decimal out;
  size_t i = 0;
  if (i < text.size() && text[i] == '-') out.negative = true, ++i;
  bool behind_point = false;
  for (; i < text.size() && text[i] != 'e' && text[i] != 'E'; ++i) {
    if (text[i] == '.') {
      behind_point = true;
      continue;
    }
    out.digits.push_back(text[i]);
    out.exponent -= behind_point;
  }
  if (i < text.size()) {
    int64_t exponent = 0;
    bool negative = false;
    for (++i; i < text.size(); ++i) {
      if (text[i] == '-') negative = true;
      if (text[i] >= '0' && text[i] <= '9') exponent = exponent * 10 + (text[i] - '0');
      if (exponent > 100'000) fail_limit("a number's exponent is too large to be enforced");
    }
    out.exponent += negative ? -exponent : exponent;
  }
  const size_t first = out.digits.find_first_not_of('0');
  out.digits.erase(0, first == std::string::npos ? out.digits.size() : first);
  while (!out.digits.empty() && out.digits.back() == '0') {
    out.digits.pop_back();
    ++out.exponent;
  }
  if (out.is_zero()) return Decimal{};
  if (out.exponent < -kDigitsMax || out.exponent + static_cast<int64_t>(out.digits.size()) > kDigitsMax) {
    fail_limit(fmt::format("the number {:.20}... has more than {} digits", text, kDigitsMax));
  }
  return out;
}

Decimal decimal_of(const Json& number) { return parse_decimal(number.dump()); }

int compare(const Decimal& a, const Decimal& b) {
  if (a.is_zero() && b.is_zero()) return 0;
  const int sign_a = a.is_zero() ? 0 : (a.negative ? -1 : 1), sign_b = b.is_zero() ? 0 : (b.negative ? -1 : 1);
  if (sign_a != sign_b) return sign_a < sign_b ? -1 : 1;
  const int64_t top_a = a.exponent + static_cast<int64_t>(a.digits.size());
  const int64_t top_b = b.exponent + static_cast<int64_t>(b.digits.size());
  if (top_a != top_b) return (top_a < top_b) == (sign_a > 0) ? -1 : 1;
  const int digits = a.digits.compare(b.digits);  // both begin at the same power of ten, without leading zeros
  return digits == 0 ? 0 : ((digits < 0) == (sign_a > 0) ? -1 : 1);
}

bool is_multiple(const Decimal& value, const Decimal& of) {
  if (value.is_zero()) return true;
  const int64_t scale = std::max<int64_t>(0, -std::min(value.exponent, of.exponent));
  const std::string divisor = padded_integer(of, scale);
  if (divisor.size() > 18) fail_limit("multipleOf has too many digits to be enforced");
  const auto modulus = static_cast<__int128>(std::stoll(divisor));
  __int128 rest = 0;
  for (const char digit : padded_integer(value, scale)) rest = (rest * 10 + (digit - '0')) % modulus;
  return rest == 0;
}

std::string integer_part(const Decimal& value) {
  const int64_t length = static_cast<int64_t>(value.digits.size()) + value.exponent;
  if (length <= 0) return "0";
  if (value.exponent >= 0) return value.digits + std::string(static_cast<size_t>(value.exponent), '0');
  return value.digits.substr(0, static_cast<size_t>(length));
}

std::string fraction_part(const Decimal& value) {
  if (value.exponent >= 0) return "";
  const int64_t length = static_cast<int64_t>(value.digits.size()) + value.exponent;
  if (length >= 0) return value.digits.substr(static_cast<size_t>(length));
  return std::string(static_cast<size_t>(-length), '0') + value.digits;
}

}  // namespace seraph::grammar
