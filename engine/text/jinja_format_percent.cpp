// The % operator on strings.
#include <cmath>
#include <cstring>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {
namespace {

constexpr int64_t kWidthMax = 1 << 20;
constexpr int64_t kPrecisionMax = 1000;

class PercentFormatter {
 public:
  PercentFormatter(Interpreter& in, const Value& format, const Value& args)
      : in_(in), text_(str_of(format)), markup_(is_markup(format)), args_(args), tuple_(args.is(Type::kTuple)) {}

  std::string run() {
    std::string out;
    while (at_ < text_.size()) {
      if (text_[at_] != '%') {
        out += text_[at_++];
        continue;
      }
      ++at_;
      if (peek() == '%') {
        out += text_[at_++];
        continue;
      }
      out += directive();
      in_.check_text(static_cast<int64_t>(out.size()));
    }
    // Whatever has a __getitem__ may be a mapping of which nothing was asked.
    const bool mapping = args_.is(Type::kDict) || args_.is(Type::kList) || args_.is(Type::kRange) ||
                         args_.is(Type::kBytes) || args_.is_undefined();
    const bool unused = tuple_ ? next_ < args_.as<ListObject>().items().size() : next_ == 0 && !used_name_ && !mapping;
    if (unused) fail("TypeError: not all arguments converted during string formatting");
    return out;
  }

 private:
  char peek() const {
    if (at_ >= text_.size()) fail("ValueError: incomplete format");
    return text_[at_];
  }

  Value next_arg() {
    if (used_name_) fail("TypeError: not enough arguments for format string");
    if (tuple_) {
      const auto& items = args_.as<ListObject>().items();
      if (next_ >= items.size()) fail("TypeError: not enough arguments for format string");
      return items[next_++];
    }
    if (next_++ > 0) fail("TypeError: not enough arguments for format string");
    return args_;
  }

  int64_t number(int64_t limit) {
    if (peek() == '*') {
      ++at_;
      const Value value = next_arg();
      if (!value.is(Type::kInt)) fail("TypeError: * wants int");
      if (std::llabs(value.as_int()) > limit) fail("ValueError: a width or precision in a format is too large");
      return value.as_int();
    }
    int64_t out = 0;
    while (peek() >= '0' && peek() <= '9') {
      out = out * 10 + (text_[at_++] - '0');
      if (out > limit) fail("ValueError: a width or precision in a format is too large");
    }
    return out;
  }

  Value named() {
    const size_t begin = ++at_;
    int open = 1;
    for (; open > 0; ++at_) {
      if (at_ >= text_.size()) fail("ValueError: incomplete format key");
      open += text_[at_] == '(' ? 1 : text_[at_] == ')' ? -1 : 0;
    }
    if (!args_.is(Type::kDict)) fail("TypeError: format requires a mapping");
    const std::string_view key = text_.substr(begin, at_ - 1 - begin);
    const Value* value = args_.as<DictObject>().find(key);
    if (value == nullptr) fail("KeyError: " + repr_str(key));
    used_name_ = true;
    return *value;
  }

  std::string directive() {
    Value value;
    if (peek() == '(') value = named();
    left_ = zero_ = alternate_ = false;
    sign_ = '\0';
    for (; std::strchr("-+ #0", peek()) != nullptr && peek() != '\0'; ++at_) {
      const char flag = text_[at_];
      left_ = left_ || flag == '-';
      zero_ = zero_ || flag == '0';
      alternate_ = alternate_ || flag == '#';
      if (flag == '+' || (flag == ' ' && sign_ == '\0')) sign_ = flag;
    }
    width_ = number(kWidthMax);
    if (width_ < 0) {
      left_ = true;
      width_ = -width_;
    }
    precision_ = -1;
    if (peek() == '.') {
      ++at_;
      precision_ = std::max<int64_t>(number(kPrecisionMax), 0);
    }
    if (std::strchr("hlL", peek()) != nullptr && peek() != '\0') ++at_;
    const char kind = peek();
    ++at_;
    if (std::strchr("sradiuxXoeEfFgGc", kind) == nullptr || kind == '\0') {
      fail(std::string("ValueError: unsupported format character '") + kind + "'");
    }
    return convert(kind, value.is_missing() ? next_arg() : value);
  }

  std::string convert(char kind, const Value& value) {
    if (kind == 's' || kind == 'r' || kind == 'a') {
      std::string text = kind == 's' ? to_str(value) : kind == 'r' ? repr(value) : ascii_only(repr(value));
      if (markup_ && !is_markup(value)) text = escape_html(text);
      if (precision_ >= 0) text.resize(byte_offset(text, precision_));
      return pad("", text, ' ');
    }
    if (kind == 'c') return pad("", character(value), ' ');
    if (std::strchr("eEfFgG", kind) != nullptr) return real(kind, value);
    return integer(kind, value);
  }

  std::string character(const Value& value) {
    if (value.is_str() && str_length(value) == 1) return std::string(str_of(value));
    if (!value.is(Type::kInt) && !value.is(Type::kBool)) fail("TypeError: %c requires int or char");
    if (value.as_int() < 0 || value.as_int() > 0x10FFFF) fail("OverflowError: %c arg not in range(0x110000)");
    std::string out;
    append_code_point(out, static_cast<char32_t>(value.as_int()));
    return out;
  }

  std::string real(char kind, const Value& value) {
    double out = 0;
    if (value.is_undefined()) fail_undefined(value);
    if (value.is_str() || !to_float(value, out)) fail("TypeError: must be real number, not " + type_name(value));
    std::string text =
        format_double(std::fabs(out), kind, precision_ < 0 ? 6 : static_cast<int>(precision_), alternate_);
    return pad(sign_of(std::signbit(out)), text, zero_ ? '0' : ' ');
  }

  std::string integer(char kind, const Value& value) {
    if (value.is_undefined()) fail_undefined(value);
    const bool decimal = kind == 'd' || kind == 'i' || kind == 'u';
    BigInt number;
    if (value.is_integral()) {
      number = value.is(Type::kBig) ? value.as<BigObject>().value : BigInt(value.as_int());
    } else if (value.is(Type::kFloat) && decimal && std::isfinite(value.as_float())) {
      number = BigInt::from_double(value.as_float());
    } else {
      fail(std::string("TypeError: %") + kind + " format: a real number is required, not " + type_name(value));
    }
    const uint32_t base = decimal ? 10 : kind == 'o' ? 8 : 16;
    std::string digits = (number.is_negative() ? -number : number).to_string(base);
    if (static_cast<int64_t>(digits.size()) < precision_)
      digits.insert(0, static_cast<size_t>(precision_) - digits.size(), '0');
    std::string prefix = sign_of(number.is_negative());
    if (alternate_ && !decimal) prefix += std::string("0") + kind;
    if (kind == 'X') digits = to_upper(digits);
    return pad(prefix, digits, zero_ ? '0' : ' ');
  }

  std::string sign_of(bool negative) const { return negative ? "-" : sign_ == '\0' ? "" : std::string(1, sign_); }

  std::string pad(const std::string& prefix, const std::string& text, char fill) const {
    const int64_t missing = width_ - static_cast<int64_t>(prefix.size()) - count_code_points(text);
    if (missing <= 0) return prefix + text;
    const std::string space(static_cast<size_t>(missing), left_ ? ' ' : fill);
    if (left_) return prefix + text + space;
    return fill == '0' ? prefix + space + text : space + prefix + text;
  }

  Interpreter& in_;
  const std::string_view text_;
  const bool markup_;
  const Value& args_;
  const bool tuple_;
  size_t at_ = 0;
  size_t next_ = 0;
  bool used_name_ = false;
  bool left_ = false, zero_ = false, alternate_ = false;
  char sign_ = '\0';
  int64_t width_ = 0, precision_ = -1;
};

}  // namespace

Value format_percent(Interpreter& in, const Value& format, const Value& args) {
  return in.str(PercentFormatter(in, format, args).run(), is_markup(format));
}

}  // namespace seraph::jinja
