#include "engine/text/jinja_bigint.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "engine/text/jinja_error.h"

namespace seraph::jinja {
namespace {

uint32_t digit_of(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint32_t>(c - '0');
  return static_cast<uint32_t>((c | 0x20) - 'a' + 10);
}

}  // namespace

BigInt::BigInt(int64_t value) : negative_(value < 0) {
  uint64_t magnitude = negative_ ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
  for (; magnitude != 0; magnitude >>= 32) words_.push_back(static_cast<uint32_t>(magnitude));
}

BigInt BigInt::from_digits(std::string_view digits, uint32_t base) {
  if (digits.size() > kBitsMax) fail("this integer has too many digits");
  BigInt out;
  for (const char c : digits) {
    uint64_t carry = digit_of(c);
    for (uint32_t& word : out.words_) {
      carry += static_cast<uint64_t>(word) * base;
      word = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) out.words_.push_back(static_cast<uint32_t>(carry));
  }
  return out;
}

BigInt BigInt::from_double(double value) {
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(std::trunc(value)), &exponent);
  if (fraction == 0) return {};
  BigInt out(static_cast<int64_t>(std::ldexp(fraction, 53)));
  if (exponent >= 53) {
    out = out * pow(BigInt(2), static_cast<uint64_t>(exponent - 53));
  } else {
    BigInt rest;
    divmod(BigInt(out), pow(BigInt(2), static_cast<uint64_t>(53 - exponent)), out, rest);
  }
  out.negative_ = value < 0 && !out.is_zero();
  return out;
}

void BigInt::trim() {
  while (!words_.empty() && words_.back() == 0) words_.pop_back();
  if (words_.empty()) negative_ = false;
  if (words_.size() * 32 > kBitsMax) fail("integers are limited to 65536 bits");
}

size_t BigInt::bits() const {
  return words_.empty() ? 0 : words_.size() * 32 - static_cast<size_t>(std::countl_zero(words_.back()));
}

bool BigInt::fits_int64() const {
  if (bits() < 64) return true;
  return negative_ && words_.size() == 2 && words_[0] == 0 && words_[1] == 0x80000000U;
}

int64_t BigInt::to_int64() const {
  uint64_t magnitude = 0;
  for (size_t i = words_.size(); i-- > 0;) magnitude = magnitude << 32 | words_[i];
  return static_cast<int64_t>(negative_ ? ~magnitude + 1 : magnitude);
}

double BigInt::to_double() const {
  const size_t total = bits();
  if (total > 1024) {
    return negative_ ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }
  // The top 64 bits decide; a sticky bit stands for all below, so that the one rounding is to nearest even.
  uint64_t top = 0;
  bool sticky = false;
  for (size_t i = 0; i < total; ++i) {
    const size_t bit = total - 1 - i;
    const bool set = (words_[bit / 32] >> (bit % 32) & 1) != 0;
    if (i < 64) {
      top = top << 1 | static_cast<uint64_t>(set);
    } else {
      sticky |= set;
    }
  }
  const int shift = total > 64 ? static_cast<int>(total - 64) : 0;
  const double magnitude = std::ldexp(static_cast<double>(top | static_cast<uint64_t>(sticky)), shift);
  return negative_ ? -magnitude : magnitude;
}

std::string BigInt::to_string(uint32_t base) const {
  if (is_zero()) return "0";
  if (base == 10 && bits() > 14286) fail("integers beyond 4300 digits cannot be written");
  std::string out;
  std::vector<uint32_t> words = words_;
  while (!words.empty()) {
    uint64_t rest = 0;
    for (size_t i = words.size(); i-- > 0;) {
      rest = rest << 32 | words[i];
      words[i] = static_cast<uint32_t>(rest / base);
      rest %= base;
    }
    out += "0123456789abcdef"[rest];
    while (!words.empty() && words.back() == 0) words.pop_back();
  }
  if (base == 10 && out.size() > kDigitsMax) fail("integers beyond 4300 digits cannot be written");
  if (negative_) out += '-';
  std::reverse(out.begin(), out.end());
  return out;
}

BigInt BigInt::operator-() const {
  BigInt out = *this;
  out.negative_ = !negative_ && !is_zero();
  return out;
}

int BigInt::compare_magnitude(const BigInt& a, const BigInt& b) {
  if (a.words_.size() != b.words_.size()) return a.words_.size() < b.words_.size() ? -1 : 1;
  for (size_t i = a.words_.size(); i-- > 0;) {
    if (a.words_[i] != b.words_[i]) return a.words_[i] < b.words_[i] ? -1 : 1;
  }
  return 0;
}

int BigInt::compare(const BigInt& a, const BigInt& b) {
  if (a.negative_ != b.negative_) return a.negative_ ? -1 : 1;
  const int magnitude = compare_magnitude(a, b);
  return a.negative_ ? -magnitude : magnitude;
}

BigInt BigInt::subtract_magnitude(const BigInt& large, const BigInt& small) {
  BigInt out = large;
  int64_t borrow = 0;
  for (size_t i = 0; i < out.words_.size(); ++i) {
    int64_t difference = static_cast<int64_t>(out.words_[i]) - borrow;
    if (i < small.words_.size()) difference -= small.words_[i];
    borrow = difference < 0 ? 1 : 0;
    out.words_[i] = static_cast<uint32_t>(difference);
  }
  out.trim();
  return out;
}

BigInt operator+(const BigInt& a, const BigInt& b) {
  if (a.negative_ != b.negative_) {
    return BigInt::compare_magnitude(a, b) >= 0 ? BigInt::subtract_magnitude(a, b) : BigInt::subtract_magnitude(b, a);
  }
  BigInt out = a;
  out.words_.resize(std::max(a.words_.size(), b.words_.size()) + 1, 0);
  uint64_t carry = 0;
  for (size_t i = 0; i < out.words_.size(); ++i) {
    carry += out.words_[i];
    if (i < b.words_.size()) carry += b.words_[i];
    out.words_[i] = static_cast<uint32_t>(carry);
    carry >>= 32;
  }
  out.trim();
  return out;
}

BigInt operator*(const BigInt& a, const BigInt& b) {
  if ((a.words_.size() + b.words_.size()) * 32 > BigInt::kBitsMax + 64) fail("integers are limited to 65536 bits");
  BigInt out;
  out.negative_ = a.negative_ != b.negative_;
  out.words_.resize(a.words_.size() + b.words_.size(), 0);
  for (size_t i = 0; i < a.words_.size(); ++i) {
    uint64_t carry = 0;
    for (size_t j = 0; j < b.words_.size(); ++j) {
      carry += static_cast<uint64_t>(a.words_[i]) * b.words_[j] + out.words_[i + j];
      out.words_[i + j] = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    out.words_[i + b.words_.size()] = static_cast<uint32_t>(carry);
  }
  out.trim();
  return out;
}

void BigInt::divmod(const BigInt& a, const BigInt& b, BigInt& quotient, BigInt& remainder) {
  // Bit by bit: such divisions are rare, and 65536 bits bound the time to milliseconds.
  BigInt q;
  BigInt r;
  BigInt divisor = b;
  divisor.negative_ = false;
  q.words_.resize(a.words_.size(), 0);
  for (size_t bit = a.bits(); bit-- > 0;) {
    uint32_t carry = a.words_[bit / 32] >> (bit % 32) & 1;
    for (uint32_t& word : r.words_) {
      const uint32_t next = word >> 31;
      word = word << 1 | carry;
      carry = next;
    }
    if (carry != 0) r.words_.push_back(carry);
    if (compare_magnitude(r, divisor) >= 0) {
      r = subtract_magnitude(r, divisor);
      q.words_[bit / 32] |= 1U << (bit % 32);
    }
  }
  q.trim();
  if (a.negative_ != b.negative_) {
    q = -q;
    if (!r.is_zero()) {
      q = q - BigInt(1);
      r = subtract_magnitude(divisor, r);
    }
  }
  r.negative_ = b.negative_ && !r.is_zero();
  quotient = std::move(q);
  remainder = std::move(r);
}

BigInt BigInt::pow(BigInt base, uint64_t exponent) {
  if (base.bits() > 1 && exponent > kBitsMax) fail("integers are limited to 65536 bits");
  BigInt out(1);
  for (;; exponent >>= 1) {
    if ((exponent & 1) != 0) out = out * base;
    if (exponent <= 1) return out;
    base = base * base;
  }
}

}  // namespace seraph::jinja
