#include "engine/text/python_literal.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

#include "engine/base/json.h"

namespace seraph {
namespace {

constexpr int kDepthMax = 100;  // of nested containers, which bounds the recursion

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 63));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 63));
    out += static_cast<char>(0x80 | (code & 63));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 63));
    out += static_cast<char>(0x80 | (code >> 6 & 63));
    out += static_cast<char>(0x80 | (code & 63));
  }
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::string_view rest() const { return text_; }

  bool calls(std::vector<PythonCall>& out) {
    if (!take('[')) return false;
    do {
      if (take(']')) return !out.empty();
      PythonCall call;
      if (!this->call(call)) return false;
      out.push_back(std::move(call));
    } while (take(','));
    return take(']');
  }

 private:
  /// Drops white space and, when it comes next, the byte.
  bool take(char byte) {
    python_skip_space(text_);
    if (text_.empty() || text_.front() != byte) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool name(std::string& out) {
    python_skip_space(text_);
    size_t size = 0;
    while (size < text_.size() && (is_name_start(text_[size]) || (size > 0 && is_digit(text_[size])))) ++size;
    out.append(text_.substr(0, size));
    text_.remove_prefix(size);
    return size > 0;
  }

  bool call(PythonCall& out) {
    if (!name(out.name)) return false;
    while (take('.')) {
      out.name += '.';
      if (!name(out.name)) return false;
    }
    if (!take('(')) return false;
    std::vector<std::string> keys;
    out.arguments.assign(1, '{');
    do {
      if (take(')')) return close(out.arguments, '}');
      std::string key;
      if (!name(key) || !take('=') || std::find(keys.begin(), keys.end(), key) != keys.end()) return false;
      if (!keys.empty()) out.arguments += ", ";
      append_json_string(out.arguments, key);
      out.arguments += ": ";
      keys.push_back(std::move(key));
      if (!value(out.arguments, 0)) return false;
    } while (take(','));
    return take(')') && close(out.arguments, '}');
  }

  static bool close(std::string& out, char bracket) {
    out += bracket;
    return true;
  }

  bool value(std::string& out, int depth) {
    python_skip_space(text_);
    if (text_.empty() || depth > kDepthMax) return false;
    const char first = text_.front();
    if (first == '[') return sequence(out, ']', depth);
    if (first == '(') return sequence(out, ')', depth);
    if (first == '{') return dict(out, depth);
    if (is_digit(first) || first == '-' || first == '+' || first == '.') return number(out);
    if (starts_string()) return string_value(out);
    std::string word;
    if (!name(word)) return false;
    if (word == "True" || word == "true") return literal(out, "true");
    if (word == "False" || word == "false") return literal(out, "false");
    return (word == "None" || word == "null") && literal(out, "null");
  }

  static bool literal(std::string& out, std::string_view text) {
    out += text;
    return true;
  }

  /// A list or tuple; (x) alone is x.
  bool sequence(std::string& out, char end, int depth) {
    text_.remove_prefix(1);
    std::string items;
    size_t num_items = 0;
    bool comma = false;
    while (!take(end)) {
      if (num_items > 0 && !comma) return false;
      if (num_items++ > 0) items += ", ";
      if (!value(items, depth + 1)) return false;
      comma = take(',');
    }
    const bool parenthesised = end == ')' && num_items == 1 && !comma;
    if (!parenthesised) out += '[';
    out += items;
    if (!parenthesised) out += ']';
    return true;
  }

  bool dict(std::string& out, int depth) {
    text_.remove_prefix(1);
    out += '{';
    bool first = true;
    do {
      if (take('}')) return close(out, '}');
      if (!std::exchange(first, false)) out += ", ";
      python_skip_space(text_);
      if (!starts_string() || !string_value(out) || !take(':')) return false;
      out += ": ";
      if (!value(out, depth + 1)) return false;
    } while (take(','));
    return take('}') && close(out, '}');
  }

  bool number(std::string& out) {
    bool negative = false;
    while (!text_.empty() && (text_.front() == '-' || text_.front() == '+')) {
      negative ^= text_.front() == '-';
      text_.remove_prefix(1);
      python_skip_space(text_);
    }
    std::string digits;
    bool is_float = false;
    size_t size = 0;
    for (; size < text_.size(); ++size) {
      const char c = text_[size];
      const bool exponent_sign = (c == '-' || c == '+') && !digits.empty() && (digits.back() | 32) == 'e';
      if (c == '_' && size > 0 && is_digit(text_[size - 1]) && size + 1 < text_.size() && is_digit(text_[size + 1])) {
        continue;
      }
      if (!is_digit(c) && c != '.' && (c | 32) != 'e' && !exponent_sign) break;
      is_float = is_float || !is_digit(c);
      digits += c;
    }
    // What sticks to a number (1j, 0x1, 2a) makes it something else.
    if (digits.empty() || (size < text_.size() && is_name_start(text_[size]))) return false;
    text_.remove_prefix(size);
    return is_float ? float_value(out, digits, negative) : int_value(out, digits, negative);
  }

  static bool int_value(std::string& out, const std::string& digits, bool negative) {
    const bool zero = digits.find_first_not_of('0') == std::string::npos;
    if (digits.size() > 1 && digits.front() == '0' && !zero) return false;
    if (negative && !zero) out += '-';
    out += zero ? "0" : digits;
    return true;
  }

  static bool float_value(std::string& out, const std::string& digits, bool negative) {
    double number = 0;
    const char* end = digits.data() + digits.size();
    const auto [parsed, error] = std::from_chars(digits.data(), end, number);
    if (error != std::errc() || parsed != end || !std::isfinite(number)) return false;
    append_json_double(out, negative ? -number : number);
    return true;
  }

  bool starts_string() const {
    size_t at = 0;
    if (!text_.empty() && std::string_view("rRuU").find(text_[0]) != std::string_view::npos) at = 1;
    return at < text_.size() && (text_[at] == '"' || text_[at] == '\'');
  }

  bool string_value(std::string& out) {
    std::string joined;
    do {
      if (!one_string(joined)) return false;
      python_skip_space(text_);
    } while (starts_string());
    append_json_string(out, joined);
    return true;
  }

  bool one_string(std::string& out) {
    const bool raw = (text_.front() | 32) == 'r';
    if ((text_.front() | 32) == 'r' || (text_.front() | 32) == 'u') text_.remove_prefix(1);
    const char quote = text_.front();
    const std::string triple(3, quote);
    const bool is_triple = text_.starts_with(triple);
    text_.remove_prefix(is_triple ? 3 : 1);
    while (!text_.empty()) {
      const char c = text_.front();
      if (is_triple ? text_.starts_with(triple) : c == quote) {
        text_.remove_prefix(is_triple ? 3 : 1);
        return true;
      }
      if (c == '\n' && !is_triple) return false;
      text_.remove_prefix(1);
      if (c != '\\') {
        out += c;
      } else if (text_.empty()) {
        return false;
      } else if (raw) {
        out += c;
        out += text_.front();
        text_.remove_prefix(1);
      } else if (!escape(out)) {
        return false;
      }
    }
    return false;
  }

  /// What follows a backslash.
  bool escape(std::string& out) {
    const char c = text_.front();
    text_.remove_prefix(1);
    static constexpr std::string_view kNames = "\\'\"abfnrtv";
    static constexpr std::string_view kValues = "\\'\"\a\b\f\n\r\t\v";
    if (const size_t at = kNames.find(c); at != std::string_view::npos) {
      out += kValues[at];
      return true;
    }
    if (c == '\n') return true;
    if (c == 'x' || c == 'u' || c == 'U') return code_point(out, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16);
    if (c >= '0' && c <= '7') {
      size_t size = 1;
      uint32_t code = static_cast<uint32_t>(c - '0');
      while (size < 3 && !text_.empty() && text_.front() >= '0' && text_.front() <= '7') {
        code = code * 8 + static_cast<uint32_t>(text_.front() - '0');
        text_.remove_prefix(1);
        ++size;
      }
      append_utf8(out, code);
      return true;
    }
    if (c == 'N') return false;  // names of characters
    out += '\\';
    out += c;
    return true;
  }

  bool code_point(std::string& out, size_t num_digits, int base) {
    if (text_.size() < num_digits) return false;
    uint32_t code = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + num_digits, code, base);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (error != std::errc() || end != text_.data() + num_digits || code > 0x10FFFF || surrogate) return false;
    text_.remove_prefix(num_digits);
    append_utf8(out, code);
    return true;
  }

  std::string_view text_;
};

}  // namespace

std::optional<std::vector<PythonCall>> parse_python_calls(std::string_view& text) {
  Reader reader(text);
  std::vector<PythonCall> calls;
  if (!reader.calls(calls)) return std::nullopt;
  text = reader.rest();
  return calls;
}

void python_skip_space(std::string_view& text) {
  while (!text.empty() && std::string_view(" \t\r\n\f").find(text.front()) != std::string_view::npos) {
    text.remove_prefix(1);
  }
}

}  // namespace seraph
