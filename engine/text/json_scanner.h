// A strict JSON reader that takes a value byte by byte and says at each byte whether the text so far can still become
// valid JSON (RFC 8259; UTF-8 is not checked). It keeps no text. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace seraph {

class JsonScanner {
 public:
  enum class Step {
    kMore,        // the byte belongs to the value, which goes on
    kDone,        // the byte was the value's last
    kDoneBefore,  // the value ended before this byte (numbers have no end of their own)
    kBad,         // no JSON value begins like this
  };
  static constexpr size_t kDepthMax = 256;  // deeper values are kBad, which bounds memory

  /// Forgets everything: the next byte begins a value. White space before it is kBad.
  void reset();
  /// REQUIRES: the last step was kMore, or none since reset().
  Step feed(char byte);
  /// The next byte is inside a string.
  bool in_string() const { return state_ == State::kString || state_ == State::kEscape || state_ == State::kHex; }

 private:
  enum class State : uint8_t {
    kValue,         // a value must begin
    kFirstItem,     // after '[': a value or ']'
    kNextItem,      // after an item: ',' or ']'
    kFirstKey,      // after '{': a key or '}'
    kKey,           // after ',': a key
    kColon,         // after a key
    kNextMember,    // after a member's value: ',' or '}'
    kString,        // inside a string
    kEscape,        // after '\'
    kHex,           // inside \uXXXX, count_ digits to go
    kLiteral,       // inside true, false, null
    kMinus,         // after '-'
    kZero,          // after a leading 0
    kInteger,       // inside an integer's digits
    kPoint,         // after '.', before its first digit
    kFraction,      // inside a fraction's digits
    kExponent,      // after 'e'
    kExponentSign,  // after its sign
    kExponentDigits,
  };

  Step begin_value(char byte);
  Step end_value();
  Step close(char bracket);
  Step feed_string(char byte);
  Step feed_number(char byte);
  Step end_number(char byte);

  State state_ = State::kValue;
  std::string open_;       // the brackets that are open: '{' or '['
  bool in_key_ = false;    // the string that is read is a key
  int32_t count_ = 0;      // digits to go in kHex
  const char* rest_ = "";  // letters to go in kLiteral
};

/// JSON's white space.
inline bool is_json_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// True when `text` is exactly one valid JSON value, without white space around it.
bool is_json_value(std::string_view text);

}  // namespace seraph
