// str() and repr() of values, as Python writes them.
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_objects.h"
#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {
namespace {

constexpr int kNestingMax = 400;  // of containers in one repr
constexpr size_t kTextBytesMax = size_t{256} << 20;

void check_depth(int depth) {
  if (depth > kNestingMax) fail("RecursionError: values are nested more than 400 deep");
}

void append_repr(std::string& out, const Value& value, int depth);

void append_items(std::string& out, const std::vector<Value>& items, int depth) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out += ", ";
    append_repr(out, items[i], depth);
  }
}

void append_dict(std::string& out, DictObject& dict, int depth) {
  out += '{';
  bool first = true;
  for (const auto& [key, value] : dict.entries()) {
    if (!first) out += ", ";
    first = false;
    append_repr(out, key, depth);
    out += ": ";
    append_repr(out, value, depth);
  }
  out += '}';
}

void append_view(std::string& out, const ViewObject& view, int depth) {
  out += view.kind == ViewKind::kKeys     ? "dict_keys(["
         : view.kind == ViewKind::kValues ? "dict_values(["
                                          : "dict_items([";
  bool first = true;
  for (const auto& [key, value] : view.dict->entries()) {
    if (!first) out += ", ";
    first = false;
    if (view.kind == ViewKind::kItems) out += '(';
    if (view.kind != ViewKind::kValues) append_repr(out, key, depth);
    if (view.kind == ViewKind::kItems) out += ", ";
    if (view.kind != ViewKind::kKeys) append_repr(out, value, depth);
    if (view.kind == ViewKind::kItems) out += ')';
  }
  out += "])";
}

void append_quoted(std::string& out, std::string_view text) {
  const char quote = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
  out += quote;
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const char32_t c = next_code_point(text, at);
    char escape[16];
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (is_printable(c)) {
      out += text.substr(start, at - start);
    } else {
      std::snprintf(escape, sizeof escape,
                    c < 0x100     ? "\\x%02x"
                    : c < 0x10000 ? "\\u%04x"
                                  : "\\U%08x",
                    static_cast<unsigned>(c));
      out += escape;
    }
  }
  out += quote;
}

void append_bytes(std::string& out, const std::string& data) {
  const char quote = data.find('\'') != data.npos && data.find('"') == data.npos ? '"' : '\'';
  out += 'b';
  out += quote;
  for (const char c : data) {
    const auto byte = static_cast<unsigned char>(c);
    char escape[8];
    if (c == quote || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (byte >= 0x20 && byte < 0x7F) {
      out += c;
    } else {
      std::snprintf(escape, sizeof escape, "\\x%02x", byte);
      out += escape;
    }
  }
  out += quote;
}

void append_repr(std::string& out, const Value& value, int depth) {
  check_depth(depth);
  if (out.size() > kTextBytesMax) fail("the text of this value is too large");
  switch (value.type()) {
    case Type::kStr:
      if (is_markup(value)) out += "Markup(";
      append_quoted(out, str_of(value));
      if (is_markup(value)) out += ')';
      return;
    case Type::kUndefined:
      out += "Undefined";
      return;
    case Type::kBytes:
      append_bytes(out, value.as<BytesObject>().bytes_);
      return;
    case Type::kList:
      out += '[';
      append_items(out, value.as<ListObject>().items(), depth + 1);
      out += ']';
      return;
    case Type::kTuple: {
      const auto& items = value.as<ListObject>().items();
      out += '(';
      append_items(out, items, depth + 1);
      out += items.size() == 1 ? ",)" : ")";
      return;
    }
    case Type::kDict:
      append_dict(out, value.as<DictObject>(), depth + 1);
      return;
    case Type::kView:
      append_view(out, value.as<ViewObject>(), depth + 1);
      return;
    case Type::kNamespace:
      out += "<Namespace ";
      append_dict(out, *value.as<NamespaceObject>().dict, depth + 1);
      out += '>';
      return;
    case Type::kRange: {
      const auto& range = value.as<RangeObject>();
      out += "range(" + std::to_string(range.start) + ", " + std::to_string(range.stop);
      if (range.step != 1) out += ", " + std::to_string(range.step);
      out += ')';
      return;
    }
    case Type::kLoop: {
      auto& loop = value.as<LoopObject>();
      out += "<LoopContext " + std::to_string(loop.index0 + 1) + "/" + std::to_string(loop.length()) + ">";
      return;
    }
    case Type::kMacro:
      out += macro_repr(value.as<MacroObject>());
      return;
    case Type::kFunction:
      // Python prints addresses here, so no template can rely on the text.
      out += std::string("<function ") + value.as<FunctionObject>().name + ">";
      return;
    case Type::kGenerator:
      out += std::string("<") + value.as<GeneratorObject>().type_name + " object>";
      return;
    case Type::kCycler:
      out += "<Cycler object>";
      return;
    case Type::kJoiner:
      out += "<Joiner object>";
      return;
    default:
      append_str(out, value);
  }
}

}  // namespace

std::string repr_str(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

std::string ascii_only(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    char escape[16];
    if (c < 0x80) {
      out += static_cast<char>(c);
      continue;
    }
    std::snprintf(escape, sizeof escape,
                  c < 0x100     ? "\\x%02x"
                  : c < 0x10000 ? "\\u%04x"
                                : "\\U%08x",
                  static_cast<unsigned>(c));
    out += escape;
  }
  return out;
}

std::string repr_float(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  // The shortest digits that read back, laid out by Python's rule: exponents below -4 or from 16 on.
  char text[40];
  char* const end = std::to_chars(text, text + sizeof text - 1, value, std::chars_format::scientific).ptr;
  *end = '\0';  // for atoi below
  std::string digits;
  const char* p = text;
  const bool negative = *p == '-';
  if (negative) ++p;
  for (; p != end && *p != 'e'; ++p) {
    if (*p != '.') digits += *p;
  }
  const int exponent = std::atoi(p + 1);
  std::string out = negative ? "-" : "";
  const int size = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (size > 1) out += "." + digits.substr(1);
    std::snprintf(text, sizeof text, "e%c%02d", exponent < 0 ? '-' : '+', std::abs(exponent));
    return out + text;
  }
  if (exponent < 0) return out + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  if (size <= exponent + 1) return out + digits + std::string(static_cast<size_t>(exponent + 1 - size), '0') + ".0";
  return out + digits.substr(0, static_cast<size_t>(exponent + 1)) + "." +
         digits.substr(static_cast<size_t>(exponent + 1));
}

void append_str(std::string& out, const Value& value) {
  switch (value.type()) {
    case Type::kStr:
      out += str_of(value);
      return;
    case Type::kUndefined:
      return;
    case Type::kMissing:
    case Type::kNone:
      out += "None";
      return;
    case Type::kBool:
      out += value.as_bool() ? "True" : "False";
      return;
    case Type::kInt: {
      char text[24];
      out.append(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, value.as_int()).ptr - text));
      return;
    }
    case Type::kFloat:
      out += repr_float(value.as_float());
      return;
    case Type::kBig:
      out += value.as<BigObject>().value.to_string();
      return;
    default:
      append_repr(out, value, 0);
  }
}

std::string to_str(const Value& value) {
  std::string out;
  append_str(out, value);
  return out;
}

std::string repr(const Value& value) {
  std::string out;
  append_repr(out, value, 0);
  return out;
}

}  // namespace seraph::jinja
