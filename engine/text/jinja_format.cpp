// str.format, the format specification and the % operator.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {
namespace {

constexpr int64_t kWidthMax = 1 << 20;  // of one formatted field
constexpr int kPrecisionMax = 1000;

struct Spec {
  std::string fill = " ";
  char align = '\0';
  char sign = '-';
  bool alternate = false;
  bool zero = false;
  bool no_negative_zero = false;  // z
  int64_t width = 0;
  char grouping = '\0';
  int precision = -1;
  char type = '\0';
};

int64_t read_number(std::string_view text, size_t& at) {
  int64_t out = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    out = out * 10 + (text[at++] - '0');
    if (out > kWidthMax) fail("ValueError: a width or precision in a format is too large");
  }
  return out;
}

Spec parse_spec(std::string_view text) {
  Spec spec;
  size_t at = 0;
  const auto is_align = [](char c) { return c == '<' || c == '>' || c == '=' || c == '^'; };
  size_t after_fill = 0;
  if (!text.empty()) next_code_point(text, after_fill);
  if (after_fill < text.size() && is_align(text[after_fill])) {
    spec.fill = text.substr(0, after_fill);
    spec.align = text[after_fill];
    at = after_fill + 1;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[at++];
  }
  const auto skip = [&](char c) {
    if (at >= text.size() || text[at] != c) return false;
    ++at;
    return true;
  };
  if (at < text.size() && (text[at] == '+' || text[at] == '-' || text[at] == ' ')) spec.sign = text[at++];
  spec.no_negative_zero = skip('z');
  spec.alternate = skip('#');
  if (skip('0')) {
    spec.zero = true;
    if (spec.align == '\0') {
      spec.fill = "0";
      spec.align = '=';
    }
  }
  spec.width = read_number(text, at);
  if (at < text.size() && (text[at] == ',' || text[at] == '_')) spec.grouping = text[at++];
  if (skip('.')) {
    const size_t start = at;
    spec.precision = static_cast<int>(read_number(text, at));
    if (at == start) fail("ValueError: Format specifier missing precision");
    if (spec.precision > kPrecisionMax) fail("ValueError: a precision in a format is too large");
  }
  if (at < text.size()) spec.type = text[at++];
  if (at != text.size()) fail("ValueError: Invalid format specifier");
  return spec;
}

std::string pad(std::string_view text, std::string_view prefix, const Spec& spec, char default_align) {
  const int64_t missing = spec.width - count_code_points(text) - count_code_points(prefix);
  const char align = spec.align == '\0' ? default_align : spec.align;
  const int64_t left = missing <= 0 || align == '<' || align == '=' ? 0 : align == '^' ? missing / 2 : missing;
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += spec.fill;
  out += prefix;
  if (align == '=') {
    for (int64_t i = 0; i < missing; ++i) out += spec.fill;
  }
  out += text;
  if (align != '=') {
    for (int64_t i = left; i < missing; ++i) out += spec.fill;
  }
  return out;
}

std::string group_digits(std::string_view digits, char separator, size_t group, size_t width) {
  // Zero padding counts as digits, so that the separators run through it.
  std::string reversed;
  for (size_t count = 0; count < digits.size() || reversed.size() < width; ++count) {
    if (count != 0 && count % group == 0) reversed += separator;
    reversed += count < digits.size() ? digits[digits.size() - 1 - count] : '0';
  }
  return {reversed.rbegin(), reversed.rend()};
}

std::string format_int(const Value& value, const Spec& spec) {
  const BigInt number = value.is(Type::kBig) ? value.as<BigObject>().value : BigInt(value.as_int());
  if (spec.precision >= 0) fail("ValueError: Precision not allowed in integer format specifier");
  if (spec.no_negative_zero) fail("ValueError: Negative zero coercion (z) not allowed for integers");
  if (spec.type == 'c') {
    std::string text;
    if (!number.fits_int64() || number.to_int64() < 0 || number.to_int64() > 0x10FFFF)
      fail("OverflowError: %c arg not in range(0x110000)");
    append_code_point(text, static_cast<char32_t>(number.to_int64()));
    return pad(text, "", spec, '<');
  }
  const char type = spec.type == '\0' || spec.type == 'n' ? 'd' : spec.type;
  const uint32_t base = type == 'd' ? 10 : (type | 0x20) == 'x' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 0;
  if (base == 0) fail(std::string("ValueError: Unknown format code '") + type + "' for object of type 'int'");
  std::string digits = (number.is_negative() ? -number : number).to_string(base);
  std::string prefix = number.is_negative() ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  if (type == 'X') digits = to_upper(digits);
  if (spec.alternate && base != 10) prefix += std::string("0") + type;
  if (spec.grouping != '\0') {
    const bool zeros = spec.align == '=' && spec.fill == "0";
    const int64_t width = zeros ? spec.width - static_cast<int64_t>(prefix.size()) : 0;
    digits = group_digits(digits, spec.grouping, base == 10 ? 3 : 4, static_cast<size_t>(std::max<int64_t>(width, 0)));
  }
  return pad(digits, prefix, spec, '>');
}

std::string format_float(double value, const Spec& spec) {
  const bool plain = spec.type == '\0';
  char type = plain ? 'g' : spec.type;
  if (std::strchr("eEfFgGn%", type) == nullptr)
    fail(std::string("ValueError: Unknown format code '") + type + "' for object of type 'float'");
  if (type == 'n') type = 'g';
  std::string prefix = std::signbit(value) && !std::isnan(value) ? "-"
                       : spec.sign == '-'                        ? ""
                                                                 : std::string(1, spec.sign);
  double magnitude = std::fabs(value);
  std::string text;
  if (type == '%') {
    text = format_double(magnitude * 100, 'f', spec.precision < 0 ? 6 : spec.precision, spec.alternate) + "%";
  } else if (plain && spec.precision < 0) {
    text = repr_float(magnitude);
  } else if (plain) {
    // Like g, but a whole number keeps its ".0", and the exponent begins one digit earlier.
    const int precision = std::max(spec.precision, 1);
    text = format_double(magnitude, 'g', precision, false);
    if (std::isfinite(magnitude) && text.find_first_of(".e") == std::string::npos) {
      text = static_cast<int>(text.size()) >= precision ? format_double(magnitude, 'e', precision - 1, false)
                                                        : text + ".0";
    }
    if (const size_t e = text.find('e'); e != std::string::npos && text.find('.') < e) {
      size_t last = text.find_last_not_of('0', e - 1);
      if (text[last] == '.') --last;
      text.erase(last + 1, e - last - 1);
    }
  } else {
    text = format_double(magnitude, type, spec.precision < 0 ? 6 : spec.precision, spec.alternate);
  }
  if (spec.no_negative_zero && std::isfinite(value) && text.find_first_of("123456789") == std::string::npos) {
    prefix = spec.sign == '-' ? "" : std::string(1, spec.sign);
  }
  if (spec.grouping != '\0' && std::isfinite(value)) {
    const size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
    const bool zeros = spec.align == '=' && spec.fill == "0";
    const int64_t width = zeros ? spec.width - static_cast<int64_t>(prefix.size() + text.size() - end) : 0;
    text = group_digits(text.substr(0, end), spec.grouping, 3, static_cast<size_t>(std::max<int64_t>(width, 0))) +
           text.substr(end);
  }
  return pad(text, prefix, spec, '>');
}

std::string format_text(std::string_view text, const Spec& spec) {
  if (spec.type != '\0' && spec.type != 's') {
    fail(std::string("ValueError: Unknown format code '") + spec.type + "' for object of type 'str'");
  }
  if (spec.align == '=' && !spec.zero) fail("ValueError: '=' alignment not allowed in string format specifier");
  if (spec.sign != '-' || spec.grouping != '\0' || spec.alternate || spec.no_negative_zero)
    fail("ValueError: this format is not allowed for strings");
  if (spec.precision >= 0) text = text.substr(0, byte_offset(text, spec.precision));
  Spec padded = spec;
  if (padded.align == '=') padded.align = '<';
  return pad(text, "", padded, '<');
}

class Formatter {
 public:
  Formatter(Interpreter& in, Args& args, bool markup) : in_(in), args_(args), markup_(markup) {}

  std::string format(std::string_view text, int depth) {
    if (depth < 0) fail("ValueError: Max string recursion exceeded");
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const char c = text[at++];
      if ((c == '{' || c == '}') && at < text.size() && text[at] == c) {
        out += c;
        ++at;
      } else if (c == '}') {
        fail("ValueError: Single '}' encountered in format string");
      } else if (c == '{') {
        out += field(field_text(text, at), depth);
      } else {
        out += c;
      }
      in_.check_text(static_cast<int64_t>(out.size()));
    }
    return out;
  }

 private:
  static std::string_view field_text(std::string_view text, size_t& at) {
    const size_t begin = at;
    int open = 1;
    for (; at < text.size(); ++at) {
      if (text[at] == '{') ++open;
      if (text[at] == '}' && --open == 0) return text.substr(begin, at++ - begin);
    }
    fail("ValueError: expected '}' before end of string");
  }

  std::string field(std::string_view text, int depth) {
    // name ["!" conversion] [":" spec]; brackets in the name may hold either sign.
    size_t end = 0;
    for (bool bracket = false; end < text.size(); ++end) {
      if (text[end] == '[') bracket = true;
      if (text[end] == ']') bracket = false;
      if (!bracket && (text[end] == '!' || text[end] == ':')) break;
    }
    Value value = lookup(text.substr(0, end));
    std::string_view rest = text.substr(end);
    if (rest.starts_with('!')) {
      if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':'))
        fail("ValueError: expected ':' after conversion specifier");
      value = convert(value, rest[1]);
      rest.remove_prefix(2);
    }
    const std::string spec = rest.empty() ? std::string() : format(rest.substr(1), depth - 1);
    if (markup_ && is_markup(value) && spec.empty()) return std::string(str_of(value));
    std::string out = format_value(in_, value, spec);
    return markup_ ? escape_html(out) : out;
  }

  Value convert(const Value& value, char how) {
    if (how == 's') return in_.str(to_str(value));
    if (how == 'r') return in_.str(repr(value));
    if (how == 'a') return in_.str(ascii_only(repr(value)));
    fail(std::string("ValueError: Unknown conversion specifier ") + how);
  }

  Value lookup(std::string_view name) {
    const size_t end = std::min(name.find_first_of(".["), name.size());
    Value value = first(name.substr(0, end));
    for (size_t at = end; at < name.size();) {
      const bool attribute = name[at] == '.';
      const size_t close = attribute ? std::min(name.find_first_of(".[", at + 1), name.size()) : name.find(']', at);
      if (close == std::string_view::npos) fail("ValueError: Missing ']' in format string");
      const std::string_view part = name.substr(at + 1, close - at - 1);
      if (part.empty()) fail("ValueError: Empty attribute in format string");
      const bool number = !attribute && part.find_first_not_of("0123456789") == part.npos && part.size() < 18;
      const Value key = number ? digits_value(part) : in_.str(std::string(part));
      value = attribute ? in_.get_attr(value, key) : in_.get_item(value, key);
      at = attribute ? close : close + 1;
    }
    return value;
  }

  Value first(std::string_view name) {
    const bool number = !name.empty() && name.find_first_not_of("0123456789") == name.npos;
    if (name.empty() || number) {
      if (name.empty() ? manual_ : automatic_ > 0) {
        fail("ValueError: cannot switch between manual and automatic field numbering in a format");
      }
      manual_ = manual_ || number;
      size_t index = SIZE_MAX;
      if (name.empty()) {
        index = automatic_++;
      } else {
        std::from_chars(name.data(), name.data() + name.size(), index);
      }
      if (index >= args_.positional.size()) {
        fail("IndexError: Replacement index " + std::to_string(index) + " out of range for positional args tuple");
      }
      return args_.positional[index];
    }
    for (const auto& [key, value] : args_.keyword) {
      if (key == name) return value;
    }
    fail("KeyError: " + repr_str(name));
  }

  Interpreter& in_;
  Args& args_;
  const bool markup_;
  size_t automatic_ = 0;
  bool manual_ = false;
};

}  // namespace

std::string format_double(double value, char kind, int precision, bool alternate) {
  if (!std::isfinite(value)) {
    const std::string name = std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
    return kind >= 'A' && kind <= 'Z' ? to_upper(name) : name;
  }
  std::string text(static_cast<size_t>(precision) + 400, '\0');
  const char pattern[] = {
      '%', alternate ? '#' : '.', alternate ? '.' : '*', alternate ? '*' : kind, alternate ? kind : '\0', '\0'};
  const int size = std::snprintf(text.data(), text.size(), pattern, precision, value);
  text.resize(static_cast<size_t>(size));
  return text;
}

std::string format_value(Interpreter&, const Value& value, std::string_view text) {
  if (text.empty()) return to_str(value);
  if (value.is_str()) return format_text(str_of(value), parse_spec(text));
  if (value.is_integral()) {
    const Spec spec = parse_spec(text);
    if (spec.type != '\0' && std::strchr("eEfFgG%", spec.type) != nullptr) {
      double number = 0;
      to_float(value, number);
      return format_float(number, spec);
    }
    // A bool without a type prints as its number once there is any specification.
    return format_int(value, spec);
  }
  if (value.is(Type::kFloat)) return format_float(value.as_float(), parse_spec(text));
  fail("TypeError: unsupported format string passed to " + type_name(value) + ".__format__");
}

Value str_format(Interpreter& in, const Value& self, Args& args) {
  return in.str(Formatter(in, args, is_markup(self)).format(str_of(self), 2), is_markup(self));
}

}  // namespace seraph::jinja
