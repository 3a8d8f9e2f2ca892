// A JSON value that keeps member order and the difference between 1 and 1.0, for the places that
// need a whole document in memory: chat messages on their way into a template, config files,
// request bodies. Parsing is simdjson's. Strings are UTF-8 and may contain NUL.
// Values own everything below them; no thread rules.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/result.h"

namespace seraph {

class Json {
 public:
  enum class Kind { kNull, kBool, kInt, kDouble, kString, kArray, kObject };
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;  // in document order; of duplicate names the last one counts

  Json() = default;
  Json(std::nullptr_t) {}                                       // NOLINT: implicit by design
  Json(bool value) : state_(value) {}                           // NOLINT
  Json(int value) : state_(static_cast<int64_t>(value)) {}      // NOLINT
  Json(int64_t value) : state_(value) {}                        // NOLINT
  Json(double value) : state_(value) {}                         // NOLINT
  Json(const char* value) : state_(std::string(value)) {}       // NOLINT
  Json(std::string_view value) : state_(std::string(value)) {}  // NOLINT
  Json(std::string value) : state_(std::move(value)) {}         // NOLINT
  Json(Array value) : state_(std::move(value)) {}               // NOLINT
  Json(Object value) : state_(std::move(value)) {}              // NOLINT

  /// Parses one document. Duplicate member names: the last one wins, at its own place.
  /// Integers beyond int64 become doubles that remember their digits. Errors: kInvalidArgument with the byte offset.
  static Result<Json> parse(std::string_view text);
  /// Reads and parses a file. Errors name the path: kNotFound, kIo, kCorrupt.
  static Result<Json> parse_file(const std::string& path);

  Kind kind() const { return state_.index() == kBigIndex ? Kind::kDouble : static_cast<Kind>(state_.index()); }
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_bool() const { return kind() == Kind::kBool; }
  bool is_int() const { return kind() == Kind::kInt; }
  bool is_double() const { return kind() == Kind::kDouble; }
  bool is_number() const { return is_int() || is_double(); }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_object() const { return kind() == Kind::kObject; }

  // REQUIRES: the matching kind.
  bool as_bool() const { return std::get<bool>(state_); }
  int64_t as_int() const { return std::get<int64_t>(state_); }
  /// REQUIRES: is_number().
  double as_double() const {
    if (is_int()) return static_cast<double>(as_int());
    if (const auto* big = std::get_if<BigInteger>(&state_)) return big->value;
    return std::get<double>(state_);
  }
  /// The decimal text of a number that was written as an integer beyond int64 (its kind is kDouble); "" for all else.
  std::string_view integer_digits() const {
    const auto* big = std::get_if<BigInteger>(&state_);
    return big == nullptr ? std::string_view() : std::string_view(big->digits);
  }
  /// Such a number. REQUIRES: digits are decimal, with '-' in front of a negative number.
  static Json big_integer(std::string digits);
  const std::string& as_string() const { return std::get<std::string>(state_); }
  const Array& as_array() const { return std::get<Array>(state_); }
  Array& as_array() { return std::get<Array>(state_); }
  const Object& as_object() const { return std::get<Object>(state_); }
  Object& as_object() { return std::get<Object>(state_); }

  /// The member of that name, or null when this is no object or has no such member.
  const Json* find(std::string_view name) const;
  Json* find(std::string_view name);
  /// Replaces the member or appends it. REQUIRES: is_object() (a null value becomes an object).
  void set(std::string_view name, Json value);

  /// Compact text: no spaces, non-ASCII as UTF-8, floats in the shortest form that reads back
  /// (1.0 stays "1.0"); non-finite numbers, which JSON cannot say, become null.
  std::string dump() const;

  friend bool operator==(const Json&, const Json&) = default;

 private:
  struct BigInteger {
    double value;
    std::string digits;
    friend bool operator==(const BigInteger&, const BigInteger&) = default;
  };
  static constexpr size_t kBigIndex = 7;  // of BigInteger in the variant; the others are in the order of Kind

  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object, BigInteger> state_;
};

/// Appends `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
/// Appends a double as JSON, shortest round-trip form with a '.' or an exponent; non-finite: null.
void append_json_double(std::string& out, double value);

}  // namespace seraph
