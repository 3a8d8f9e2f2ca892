#include "engine/text/json_scanner.h"

namespace seraph {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

}  // namespace

void JsonScanner::reset() {
  state_ = State::kValue;
  open_.clear();
  in_key_ = false;
}

JsonScanner::Step JsonScanner::feed(char byte) {
  switch (state_) {
    case State::kValue:
      return is_json_space(byte) && !open_.empty() ? Step::kMore : begin_value(byte);
    case State::kFirstItem:
      if (is_json_space(byte)) return Step::kMore;
      return byte == ']' ? close('[') : begin_value(byte);
    case State::kNextItem:
      if (is_json_space(byte)) return Step::kMore;
      if (byte == ']') return close('[');
      state_ = State::kValue;
      return byte == ',' ? Step::kMore : Step::kBad;
    case State::kFirstKey:
    case State::kKey:
      if (is_json_space(byte)) return Step::kMore;
      if (byte == '}' && state_ == State::kFirstKey) return close('{');
      state_ = State::kString;
      in_key_ = true;
      return byte == '"' ? Step::kMore : Step::kBad;
    case State::kColon:
      if (is_json_space(byte)) return Step::kMore;
      state_ = State::kValue;
      return byte == ':' ? Step::kMore : Step::kBad;
    case State::kNextMember:
      if (is_json_space(byte)) return Step::kMore;
      if (byte == '}') return close('{');
      state_ = State::kKey;
      return byte == ',' ? Step::kMore : Step::kBad;
    case State::kString:
    case State::kEscape:
    case State::kHex:
      return feed_string(byte);
    case State::kLiteral:
      if (byte != *rest_) return Step::kBad;
      return *++rest_ == '\0' ? end_value() : Step::kMore;
    default:
      return feed_number(byte);
  }
}

JsonScanner::Step JsonScanner::begin_value(char byte) {
  switch (byte) {
    case '{':
    case '[':
      if (open_.size() == kDepthMax) return Step::kBad;
      open_.push_back(byte);
      state_ = byte == '{' ? State::kFirstKey : State::kFirstItem;
      return Step::kMore;
    case '"':
      state_ = State::kString;
      in_key_ = false;
      return Step::kMore;
    case 't':
    case 'f':
    case 'n':
      rest_ = byte == 't' ? "rue" : byte == 'f' ? "alse" : "ull";
      state_ = State::kLiteral;
      return Step::kMore;
    case '-':
      state_ = State::kMinus;
      return Step::kMore;
    default:
      if (!is_digit(byte)) return Step::kBad;
      state_ = byte == '0' ? State::kZero : State::kInteger;
      return Step::kMore;
  }
}

JsonScanner::Step JsonScanner::end_value() {
  if (open_.empty()) return Step::kDone;
  state_ = open_.back() == '{' ? State::kNextMember : State::kNextItem;
  return Step::kMore;
}

JsonScanner::Step JsonScanner::close(char bracket) {
  if (open_.back() != bracket) return Step::kBad;
  open_.pop_back();
  return end_value();
}

JsonScanner::Step JsonScanner::feed_string(char byte) {
  if (state_ == State::kHex) {
    if (!is_hex(byte)) return Step::kBad;
    if (--count_ == 0) state_ = State::kString;
    return Step::kMore;
  }
  if (state_ == State::kEscape) {
    if (byte == 'u') {
      state_ = State::kHex;
      count_ = 4;
      return Step::kMore;
    }
    state_ = State::kString;
    return byte != '\0' && std::string_view("\"\\/bfnrt").find(byte) != std::string_view::npos ? Step::kMore
                                                                                               : Step::kBad;
  }
  if (static_cast<unsigned char>(byte) < 0x20) return Step::kBad;
  if (byte == '\\') {
    state_ = State::kEscape;
    return Step::kMore;
  }
  if (byte != '"') return Step::kMore;
  if (!in_key_) return end_value();
  state_ = State::kColon;
  return Step::kMore;
}

JsonScanner::Step JsonScanner::feed_number(char byte) {
  const bool digit = is_digit(byte);
  const bool exponent = byte == 'e' || byte == 'E';
  switch (state_) {
    case State::kMinus:
      if (!digit) return Step::kBad;
      state_ = byte == '0' ? State::kZero : State::kInteger;
      return Step::kMore;
    case State::kZero:
    case State::kInteger:
      if (digit && state_ == State::kInteger) return Step::kMore;
      if (byte != '.' && !exponent) return end_number(byte);
      state_ = exponent ? State::kExponent : State::kPoint;
      return Step::kMore;
    case State::kPoint:
      state_ = State::kFraction;
      return digit ? Step::kMore : Step::kBad;
    case State::kFraction:
      if (digit) return Step::kMore;
      if (!exponent) return end_number(byte);
      state_ = State::kExponent;
      return Step::kMore;
    case State::kExponent:
      state_ = digit ? State::kExponentDigits : State::kExponentSign;
      return digit || byte == '+' || byte == '-' ? Step::kMore : Step::kBad;
    case State::kExponentSign:
      state_ = State::kExponentDigits;
      return digit ? Step::kMore : Step::kBad;
    default:
      return digit ? Step::kMore : end_number(byte);
  }
}

JsonScanner::Step JsonScanner::end_number(char byte) {
  if (open_.empty()) return Step::kDoneBefore;
  end_value();
  return feed(byte);
}

bool is_json_value(std::string_view text) {
  JsonScanner scanner;
  JsonScanner::Step step = JsonScanner::Step::kBad;
  for (size_t i = 0; i < text.size(); ++i) {
    step = scanner.feed(text[i]);
    if (step == JsonScanner::Step::kDone) return i + 1 == text.size();
    if (step != JsonScanner::Step::kMore) return false;
  }
  // A number ends where the text ends: a space shows whether it could end there.
  return step == JsonScanner::Step::kMore && scanner.feed(' ') == JsonScanner::Step::kDoneBefore;
}

}  // namespace seraph
