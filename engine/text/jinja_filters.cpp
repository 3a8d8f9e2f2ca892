// The filters on single values and text, the tests, and the table of all filters. The filters on sequences are in
// jinja_sequence_filters.cpp.
#include "engine/text/jinja_filters.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <span>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {
namespace {

/// soft_str(): a text as it is, anything else by str().
Value soft_str(Interpreter& in, const Value& value) { return value.is_str() ? value : in.str(to_str(value)); }

using Mapping = std::string (*)(std::string_view);

template <Mapping kMap>
Value mapped(Interpreter& in, const Value& value, Args& args) {
  const Params params("filter", args, {});
  const Value text = soft_str(in, value);
  return in.str(kMap(str_of(text)), is_markup(text));
}

std::string title_words(std::string_view text) {
  // Words begin after spaces, hyphens and opening brackets; an apostrophe does not begin one.
  std::string out;
  bool begins = true;
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const char32_t c = next_code_point(text, at);
    const std::string_view one = text.substr(start, at - start);
    const bool separator = c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || is_space(c);
    if (separator) {
      out += one;
    } else if (begins) {
      out += to_upper(one);
    } else {
      size_t end = at;
      // Lower case depends on neighbours (final sigma), so the rest of the word goes at once.
      while (end < text.size()) {
        size_t next = end;
        const char32_t d = next_code_point(text, next);
        if (d == '-' || d == '(' || d == '{' || d == '[' || d == '<' || is_space(d)) break;
        end = next;
      }
      out += to_lower(text.substr(start, end - start));
      at = end;
    }
    begins = separator;
  }
  return out;
}

Value filter_abs(Interpreter& in, const Value& value, Args& args) {
  const Params params("abs", args, {});
  if (value.is_undefined()) fail("TypeError: bad operand type for abs(): 'Undefined'");
  if (value.is(Type::kFloat)) return std::fabs(value.as_float());
  if (!value.is_integral()) fail("TypeError: bad operand type for abs(): '" + type_name(value) + "'");
  const bool negative = value.is(Type::kBig) ? value.as<BigObject>().value.is_negative() : value.as_int() < 0;
  return negate(in, value, negative);
}

Value filter_attr(Interpreter& in, const Value& value, Args& args) {
  const Params params("attr", args, {"name"}, 1);
  if (!params[0].is_str()) fail("TypeError: attribute name must be string, not '" + type_name(params[0]) + "'");
  if (value.is_undefined()) fail_undefined(value);
  // Only attributes count here, never items.
  const bool attribute = find_method(value, str_of(params[0])) != nullptr || !value.is(Type::kDict);
  return attribute ? in.get_attr(value, params[0]) : make_undefined_member(in.heap(), value, params[0]);
}

Value filter_center(Interpreter& in, const Value& value, Args& args) {
  const Params params("center", args, {"width"});
  const Value text = soft_str(in, value);
  Args inner;
  inner.positional.push_back(params.integer(0, 80));
  return find_str_method("center")->call(in, text, inner);
}

Value filter_default(Interpreter& in, const Value& value, Args& args) {
  const Params params("default", args, {"default_value", "boolean"});
  const bool replace = value.is_undefined() || (params.flag(1) && !truthy(value));
  return !replace ? value : params.has(0) ? params[0] : in.str("");
}

Value filter_escape(Interpreter& in, const Value& value, Args& args) {
  const Params params("escape", args, {});
  return escape(in, value);
}

Value filter_forceescape(Interpreter& in, const Value& value, Args& args) {
  const Params params("forceescape", args, {});
  return in.str(escape_html(to_str(value)), true);
}

Value filter_filesizeformat(Interpreter& in, const Value& value, Args& args) {
  const Params params("filesizeformat", args, {"binary"});
  double bytes = 0;
  if (!to_float(value, bytes)) fail("ValueError: could not convert this value to a number of bytes");
  const bool binary = params.flag(0);
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return in.str("1 Byte");
  if (bytes < base) return in.str(BigInt::from_double(bytes).to_string() + " Bytes");
  static constexpr std::string_view kPrefixes = "kMGTPEZY";
  double unit = base;
  size_t i = 0;
  for (; i < kPrefixes.size(); ++i) {
    unit *= base;
    if (bytes < unit) break;
  }
  std::string prefix(1, kPrefixes[std::min(i, kPrefixes.size() - 1)]);
  if (binary) prefix = (prefix == "k" ? "K" : prefix) + "i";
  return in.str(format_double(base * bytes / unit, 'f', 1, false) + " " + prefix + "B");
}

/// int(text, base): false when Python would raise ValueError.
bool parse_int(std::string_view text, int64_t base, BigInt& out) {
  text = strip_space(text, kBoth);
  bool negative = false;
  if (text.starts_with('-') || text.starts_with('+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text.size() > 1 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    const int64_t marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (marked != 0 && (base == marked || base == 0)) {
      base = marked;
      text.remove_prefix(2);
      if (text.starts_with('_')) text.remove_prefix(1);
    }
  }
  if (base == 0) base = 10;
  if (base < 2 || base > 36) fail("ValueError: int() base must be >= 2 and <= 36, or 0");
  std::string digits;
  bool underscore = true;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (c == '_' && !underscore) {
      underscore = true;
      continue;
    }
    underscore = false;
    const char32_t lower = c | 0x20;
    const int64_t digit = c >= '0' && c <= '9'                      ? c - '0'
                          : c < 128 && lower >= 'a' && lower <= 'z' ? lower - 'a' + 10
                                                                    : 99;
    if (digit >= base) return false;
    digits += static_cast<char>(c);
  }
  if (underscore || digits.size() > BigInt::kDigitsMax) return false;
  out = BigInt::from_digits(digits, static_cast<uint32_t>(base));
  if (negative) out = -out;
  return true;
}

Value filter_int(Interpreter& in, const Value& value, Args& args) {
  const Params params("int", args, {"default", "base"});
  if (value.is_integral()) return value.is(Type::kBig) ? value : Value(value.as_int());
  BigInt out;
  if (value.is_str() && parse_int(str_of(value), params.integer(1, 10), out)) return make_int(in.heap(), out);
  if (value.is_undefined()) fail_undefined(value);
  double number = 0;
  if (to_float(value, number) && std::isfinite(number)) return make_int(in.heap(), BigInt::from_double(number));
  if (value.is(Type::kFloat) && std::isinf(number)) fail("OverflowError: cannot convert float infinity to integer");
  return params.has(0) ? params[0] : Value(int64_t{0});
}

Value filter_float(Interpreter&, const Value& value, Args& args) {
  const Params params("float", args, {"default"});
  if (value.is_undefined()) fail_undefined(value);
  double out = 0;
  if (to_float(value, out)) return out;
  return params.has(0) ? params[0] : Value(0.0);
}

Value filter_format(Interpreter& in, const Value& value, Args& args) {
  if (!args.positional.empty() && !args.keyword.empty()) {
    fail("can't handle positional and keyword arguments at the same time");
  }
  const Value text = soft_str(in, value);
  if (args.keyword.empty()) return format_percent(in, text, make_tuple(in.heap(), std::move(args.positional)));
  auto* dict = make_object<DictObject>(&in.heap());
  const Value holder(Type::kDict, dict);
  for (auto& [name, item] : args.keyword) dict->set(in.str(name), std::move(item));
  return format_percent(in, text, holder);
}

Value filter_indent(Interpreter& in, const Value& value, Args& args) {
  const Params params("indent", args, {"width", "first", "blank"});
  if (!value.is_str()) {
    if (value.is_undefined()) fail_undefined(value);
    fail("TypeError: can only indent a str, not " + type_name(value));
  }
  std::string space;
  if (params.has(0) && params[0].is_str()) {
    space = str_of(params[0]);
  } else {
    const int64_t width = std::max<int64_t>(params.integer(0, 4), 0);
    in.check_text(width);
    space = std::string(static_cast<size_t>(width), ' ');
  }
  if (is_markup(value) && params.has(0) && !is_markup(params[0])) space = escape_html(space);
  const std::string text = std::string(str_of(value)) + "\n";
  std::string out = params.flag(1) ? space : "";
  bool first = true;
  for (const std::string_view line : split_lines(text, false)) {
    if (!first) out += '\n';
    if (!first && (params.flag(2) || !line.empty())) out += space;
    first = false;
    out += line;
    in.check_text(static_cast<int64_t>(out.size()));
  }
  return in.str(std::move(out), is_markup(value));
}

Value filter_pprint(Interpreter& in, const Value& value, Args& args) {
  const Params params("pprint", args, {});
  return in.str(pretty_print(value));
}

Value filter_replace(Interpreter& in, const Value& value, Args& args) {
  const Params params("replace", args, {"old", "new", "count"}, 2);
  const int64_t count = params.has(2) && !params[2].is_none() ? params.integer(2, -1) : -1;
  if (!in.autoescape()) {
    // str(), so that even Markup is replaced as plain text here; a Markup's own method would escape.
    return in.str(replace_text(in, to_str(value), to_str(params[0]), to_str(params[1]), count), is_markup(value));
  }
  const bool escape_it = is_markup(params[0]) || (is_markup(params[1]) && !is_markup(value));
  const Value text = escape_it ? escape(in, value) : soft_str(in, value);
  const std::string to = is_markup(text) && !is_markup(params[1]) ? escape_html(to_str(params[1])) : to_str(params[1]);
  return in.str(replace_text(in, str_of(text), to_str(params[0]), to, count), is_markup(text));
}

double round_half_even(double value, int64_t digits) {
  if (digits > 330 || !std::isfinite(value)) return value;
  if (digits < -310) return std::copysign(0.0, value);
  if (digits >= 0) return std::strtod(format_double(value, 'f', static_cast<int>(digits), false).c_str(), nullptr);
  const double unit = std::pow(10.0, static_cast<double>(-digits));
  return std::nearbyint(value / unit) * unit;
}

Value filter_round(Interpreter&, const Value& value, Args& args) {
  const Params params("round", args, {"precision", "method"});
  const int64_t digits = params.integer(0, 0);
  const std::string method = params.text(1, "common");
  if (method != "common" && method != "ceil" && method != "floor") fail("method must be common, ceil or floor");
  if (value.is_undefined()) fail_undefined(value);
  double number = 0;
  if (value.is_str() || !to_float(value, number))
    fail("TypeError: type " + type_name(value) + " doesn't define __round__ method");
  if (method == "common") {
    if (value.is(Type::kFloat)) return round_half_even(number, digits);
    if (digits >= 0 || value.is(Type::kBig)) return value.is(Type::kBig) ? value : Value(value.as_int());
    return static_cast<int64_t>(round_half_even(number, digits));
  }
  const double scale = std::pow(10.0, static_cast<double>(digits));
  const double scaled = number * scale;
  if (!std::isfinite(scaled)) fail("OverflowError: cannot round this number");
  const double whole = method == "ceil" ? std::ceil(scaled) : std::floor(scaled);
  return (whole + 0.0) / scale;  // ceil gives an int in Python, so there is no negative zero
}

Value filter_safe(Interpreter& in, const Value& value, Args& args) {
  const Params params("safe", args, {});
  return is_markup(value) ? value : in.str(to_str(value), true);
}

Value filter_string(Interpreter& in, const Value& value, Args& args) {
  const Params params("string", args, {});
  return soft_str(in, value);
}

Value filter_striptags(Interpreter& in, const Value& value, Args& args) {
  const Params params("striptags", args, {});
  return in.str(strip_tags(to_str(value)));
}

Value filter_tojson(Interpreter& in, const Value& value, Args& args) { return in.str(dump_json(in, value, args)); }

Value filter_trim(Interpreter& in, const Value& value, Args& args) {
  const Params params("trim", args, {"chars"});
  const Value text = soft_str(in, value);
  Args inner;
  if (params.has(0)) inner.positional.push_back(params[0]);
  return find_str_method("strip")->call(in, text, inner);
}

Value filter_truncate(Interpreter& in, const Value& value, Args& args) {
  const Params params("truncate", args, {"length", "killwords", "end", "leeway"});
  const int64_t length = params.integer(0, 255);
  const std::string end = params.text(2, "...");
  const int64_t leeway = params.has(3) && !params[3].is_none() ? params.integer(3, 5) : 5;
  const int64_t end_length = count_code_points(end);
  if (length < end_length)
    fail("AssertionError: expected length >= " + std::to_string(end_length) + ", got " + std::to_string(length));
  if (leeway < 0) fail("AssertionError: expected leeway >= 0, got " + std::to_string(leeway));
  const int64_t size = length_of(value);
  if (size < 0) fail("TypeError: object of type '" + type_name(value) + "' has no len()");
  if (size <= length + leeway) return value;
  if (!value.is_str()) fail("TypeError: only a str can be truncated");
  std::string_view text = str_of(value);
  text = text.substr(0, byte_offset(text, length - end_length));
  if (!params.flag(1)) {
    if (const size_t space = text.rfind(' '); space != text.npos) text = text.substr(0, space);
  }
  return in.str(std::string(text) + end, is_markup(value));
}

Value filter_urlencode(Interpreter& in, const Value& value, Args& args) {
  const Params params("urlencode", args, {});
  const auto text_of = [](const Value& part) {
    return part.is(Type::kBytes) ? part.as<BytesObject>().bytes_ : to_str(part);
  };
  if (value.is_str() || !is_iterable(value)) return in.str(url_quote(text_of(value), false));
  const auto pair_text = [&](const Value& key, const Value& item) {
    return url_quote(text_of(key), true) + "=" + url_quote(text_of(item), true);
  };
  std::string out;
  const auto append = [&](const std::string& pair) {
    if (!out.empty()) out += '&';
    out += pair;
    in.check_text(static_cast<int64_t>(out.size()));
  };
  if (value.is(Type::kDict)) {
    for (const auto& [key, item] : value.as<DictObject>().entries()) append(pair_text(key, item));
    return in.str(std::move(out));
  }
  Iterator iterator(in.heap(), value);
  for (Value item; iterator.next(item);) {
    in.step();
    const std::vector<Value> pair = to_vector(in.heap(), item);
    if (pair.size() != 2) fail("ValueError: urlencode takes pairs");
    append(pair_text(pair[0], pair[1]));
  }
  return in.str(std::move(out));
}

Value filter_urlize(Interpreter&, const Value&, Args&) {
  fail("the filter urlize makes HTML links and is not offered");
}

Value filter_wordcount(Interpreter& in, const Value& value, Args& args) {
  const Params params("wordcount", args, {});
  const Value text = soft_str(in, value);
  int64_t words = 0;
  bool in_word = false;
  for (size_t at = 0; at < str_of(text).size();) {
    const bool word = is_word(next_code_point(str_of(text), at));
    words += word && !in_word ? 1 : 0;
    in_word = word;
  }
  return words;
}

Value filter_wordwrap(Interpreter& in, const Value& value, Args& args) {
  const Params params("wordwrap", args, {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  if (!value.is_str()) {
    if (value.is_undefined()) fail_undefined(value);
    fail("TypeError: only a str can be wrapped");
  }
  const int64_t width = params.integer(0, 79);
  if (width <= 0) fail("ValueError: invalid width " + std::to_string(width) + " (must be > 0)");
  const std::string joint = params.has(2) && !params[2].is_none() ? params.text(2, "") : "\n";
  std::string out;
  bool first = true;
  for (const std::string_view line : split_lines(str_of(value), false)) {
    if (!first) out += joint;
    first = false;
    out += word_wrap(line, width, joint, params.flag(1, true), params.flag(3, true));
    in.check_text(static_cast<int64_t>(out.size()));
  }
  return in.str(std::move(out));
}

Value filter_xmlattr(Interpreter& in, const Value& value, Args& args) {
  const Params params("xmlattr", args, {"autospace"});
  if (!value.is(Type::kDict)) {
    if (value.is_undefined()) fail_undefined(value);
    fail("AttributeError: '" + type_name(value) + "' object has no attribute 'items'");
  }
  std::string out;
  for (const auto& [key, item] : value.as<DictObject>().entries()) {
    if (item.is_none() || item.is_undefined()) continue;
    if (!key.is_str()) fail("TypeError: expected string or bytes-like object, got '" + type_name(key) + "'");
    if (str_of(key).find_first_of(" \t\n\r\f\v/>=") != std::string_view::npos) {
      fail("ValueError: Invalid character in attribute name: " + repr(key));
    }
    if (!out.empty()) out += ' ';
    out += to_str(escape(in, key)) + "=\"" + to_str(escape(in, item)) + "\"";
    in.check_text(static_cast<int64_t>(out.size()));
  }
  if (params.flag(0, true) && !out.empty()) out.insert(0, " ");
  return in.str(std::move(out), in.autoescape());
}

constexpr BuiltinEntry kValueFilters[] = {
    {"abs", filter_abs},
    {"attr", filter_attr},
    {"capitalize", mapped<capitalize>},
    {"center", filter_center},
    {"d", filter_default},
    {"default", filter_default},
    {"e", filter_escape},
    {"escape", filter_escape},
    {"filesizeformat", filter_filesizeformat},
    {"float", filter_float},
    {"forceescape", filter_forceescape},
    {"format", filter_format},
    {"indent", filter_indent},
    {"int", filter_int},
    {"lower", mapped<to_lower>},
    {"pprint", filter_pprint},
    {"replace", filter_replace},
    {"round", filter_round},
    {"safe", filter_safe},
    {"string", filter_string},
    {"striptags", filter_striptags},
    {"title", mapped<title_words>},
    {"tojson", filter_tojson},
    {"trim", filter_trim},
    {"truncate", filter_truncate},
    {"upper", mapped<to_upper>},
    {"urlencode", filter_urlencode},
    {"urlize", filter_urlize},
    {"wordcount", filter_wordcount},
    {"wordwrap", filter_wordwrap},
    {"xmlattr", filter_xmlattr},
};

}  // namespace

bool to_float(const Value& value, double& out) {
  switch (value.type()) {
    case Type::kFloat:
      out = value.as_float();
      return true;
    case Type::kBool:
    case Type::kInt:
      out = static_cast<double>(value.as_int());
      return true;
    case Type::kBig:
      out = value.as<BigObject>().value.to_double();
      if (std::isinf(out)) fail("OverflowError: int too large to convert to float");
      return true;
    case Type::kStr:
      break;
    default:
      return false;
  }
  std::string text = to_lower(strip_space(str_of(value), kBoth));
  const size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  const std::string_view body = std::string_view(text).substr(sign);
  const bool word = body == "inf" || body == "infinity" || body == "nan";
  if (!word && (body.empty() || body.find_first_not_of("0123456789.e+-_") != body.npos)) return false;
  // Underscores may only stand between digits.
  for (size_t i = text.find('_'); i != std::string::npos; i = text.find('_', i)) {
    if (i == 0 || i + 1 >= text.size() || !is_decimal(static_cast<unsigned char>(text[i - 1])) ||
        !is_decimal(static_cast<unsigned char>(text[i + 1]))) {
      return false;
    }
    text.erase(i, 1);
  }
  char* end = nullptr;
  out = std::strtod(text.c_str(), &end);
  return end == text.c_str() + text.size();
}

Builtin find_filter(std::string_view name) {
  if (const Builtin filter = find_sequence_filter(name)) return filter;
  const auto* it = std::find_if(std::begin(kValueFilters), std::end(kValueFilters),
                                [&](const BuiltinEntry& entry) { return entry.name == name; });
  return it == std::end(kValueFilters) ? nullptr : it->call;
}

}  // namespace seraph::jinja
