// Integers beyond 64 bits, as templates may compute or receive them (2**64, ids in tool calls). Magnitudes are
// limited: an int that would need more than kBitsMax bits fails the render. Values; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace seraph::jinja {

class BigInt {
 public:
  static constexpr size_t kBitsMax = 65536;
  static constexpr size_t kDigitsMax = 4300;  // Python's limit on the decimal form

  BigInt() = default;
  explicit BigInt(int64_t value);
  /// Digits of the base only, no sign. REQUIRES: they are valid.
  static BigInt from_digits(std::string_view digits, uint32_t base);
  /// The integer part. REQUIRES: finite.
  static BigInt from_double(double value);

  bool is_zero() const { return words_.empty(); }
  bool is_negative() const { return negative_; }
  bool is_odd() const { return !words_.empty() && (words_[0] & 1) != 0; }
  bool fits_int64() const;
  int64_t to_int64() const;
  /// Infinity when too large.
  double to_double() const;
  /// Base 2 to 16, lower case, with '-' in front. Fails beyond kDigitsMax digits in base 10.
  std::string to_string(uint32_t base = 10) const;
  size_t bits() const;

  BigInt operator-() const;
  friend BigInt operator+(const BigInt& a, const BigInt& b);
  friend BigInt operator-(const BigInt& a, const BigInt& b) { return a + -b; }
  friend BigInt operator*(const BigInt& a, const BigInt& b);
  /// Python's floor division and its remainder. REQUIRES: !b.is_zero().
  static void divmod(const BigInt& a, const BigInt& b, BigInt& quotient, BigInt& remainder);
  static BigInt pow(BigInt base, uint64_t exponent);
  /// Negative, zero or positive.
  static int compare(const BigInt& a, const BigInt& b);

 private:
  static int compare_magnitude(const BigInt& a, const BigInt& b);
  static BigInt subtract_magnitude(const BigInt& large, const BigInt& small);
  void trim();

  bool negative_ = false;
  std::vector<uint32_t> words_;  // least significant first, no leading zeros; empty is 0
};

}  // namespace seraph::jinja
