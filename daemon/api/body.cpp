#include "daemon/api/body.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace seraph {
namespace {

constexpr int kDepthMax = 1000;

/// Python's words for what is wrong and the byte where it is wrong.
struct Failure {
  enum class Kind { kNone, kSyntax, kUnreadable, kLoneSurrogate } kind = Kind::kNone;
  const char* reason = "";
  size_t at = 0;
};

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

bool is_high_surrogate(uint32_t code) { return code >= 0xD800 && code < 0xDC00; }
bool is_low_surrogate(uint32_t code) { return code >= 0xDC00 && code < 0xE000; }

/// Bytes per unit of the encoding and its byte order, guessed from zero bytes and marks as json.detect_encoding does.
struct Encoding {
  int unit = 1;
  bool big_endian = false;
  size_t mark = 0;  // bytes of the byte order mark
};

Encoding detect_encoding(std::string_view b) {
  const auto starts = [&](std::string_view mark) { return b.substr(0, mark.size()) == mark; };
  using namespace std::string_view_literals;
  if (starts("\xFF\xFE\0\0"sv)) return {4, false, 4};
  if (starts("\0\0\xFE\xFF"sv)) return {4, true, 4};
  if (starts("\xFF\xFE"sv)) return {2, false, 2};
  if (starts("\xFE\xFF"sv)) return {2, true, 2};
  if (starts("\xEF\xBB\xBF"sv)) return {1, false, 3};
  if (b.size() >= 4) {
    if (b[0] == 0) return b[1] == 0 ? Encoding{4, true, 0} : Encoding{2, true, 0};
    if (b[1] == 0) return b[2] != 0 || b[3] != 0 ? Encoding{2, false, 0} : Encoding{4, false, 0};
  } else if (b.size() == 2) {
    if (b[0] == 0) return {2, true, 0};
    if (b[1] == 0) return {2, false, 0};
  }
  return {};
}

bool decode_wide(std::string_view b, const Encoding& encoding, std::string& out) {
  const auto unit = static_cast<size_t>(encoding.unit);
  if (b.size() % unit != 0) return false;
  const auto read = [&](size_t at) {
    uint32_t value = 0;
    for (size_t i = 0; i < unit; ++i) {
      const size_t from = encoding.big_endian ? at + i : at + unit - 1 - i;
      value = value << 8 | static_cast<unsigned char>(b[from]);
    }
    return value;
  };
  for (size_t at = 0; at < b.size(); at += unit) {
    uint32_t code = read(at);
    if (unit == 2 && is_high_surrogate(code)) {
      if (at + unit >= b.size()) return false;
      const uint32_t low = read(at += unit);
      if (!is_low_surrogate(low)) return false;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code > 0x10FFFF || is_high_surrogate(code) || is_low_surrogate(code)) return false;
    append_utf8(out, code);
  }
  return true;
}

bool valid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = [&](size_t k) { return static_cast<unsigned char>(text[i + k]); };
    const unsigned char lead = byte(0);
    size_t length = 1;
    if (lead >= 0x80) {
      length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
      if (lead < 0xC2 || lead > 0xF4 || i + length > text.size()) return false;
      for (size_t k = 1; k < length; ++k) {
        if ((byte(k) & 0xC0) != 0x80) return false;
      }
      if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F) || (lead == 0xF0 && byte(1) < 0x90) ||
          (lead == 0xF4 && byte(1) > 0x8F)) {
        return false;
      }
    }
    i += length;
  }
  return true;
}

/// Python's json.loads on valid UTF-8. Recursive, bounded by kDepthMax.
class TolerantParser {
 public:
  explicit TolerantParser(std::string_view text) : text_(text) {}

  Failure parse(Json& out) {
    skip_space();
    if (!value(out, 0)) return failure_;
    skip_space();
    if (at_ != text_.size()) fail("Extra data", at_);
    if (failure_.kind == Failure::Kind::kNone && lone_surrogate_) failure_.kind = Failure::Kind::kLoneSurrogate;
    return failure_;
  }

 private:
  bool fail(const char* reason, size_t at) {
    failure_ = {Failure::Kind::kSyntax, reason, at};
    return false;
  }

  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool peek(char c) const { return at_ < text_.size() && text_[at_] == c; }

  bool literal(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  bool value(Json& out, int depth) {
    if (depth > kDepthMax) {
      failure_ = {Failure::Kind::kUnreadable, "", at_};
      return false;
    }
    if (peek('"')) {
      std::string text;
      if (!string(text)) return false;
      out = Json(std::move(text));
      return true;
    }
    if (peek('{')) return object(out, depth);
    if (peek('[')) return array(out, depth);
    if (literal("null")) return out = Json(nullptr), true;
    if (literal("true")) return out = Json(true), true;
    if (literal("false")) return out = Json(false), true;
    if (literal("NaN")) return out = Json(std::numeric_limits<double>::quiet_NaN()), true;
    if (literal("Infinity")) return out = Json(std::numeric_limits<double>::infinity()), true;
    if (literal("-Infinity")) return out = Json(-std::numeric_limits<double>::infinity()), true;
    return number(out);
  }

  bool number(Json& out) {
    const size_t begin = at_;
    size_t end = at_;
    const auto digit = [&](size_t i) { return i < text_.size() && text_[i] >= '0' && text_[i] <= '9'; };
    if (end < text_.size() && text_[end] == '-') ++end;
    if (!digit(end)) return fail("Expecting value", begin);
    if (text_[end] == '0') {
      ++end;
    } else {
      while (digit(end)) ++end;
    }
    bool integral = true;
    if (end < text_.size() && text_[end] == '.' && digit(end + 1)) {
      integral = false;
      ++end;
      while (digit(end)) ++end;
    }
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      size_t exponent = end + 1;
      if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
      if (digit(exponent)) {
        integral = false;
        end = exponent;
        while (digit(end)) ++end;
      }
    }
    at_ = end;
    const char* first = text_.data() + begin;
    const char* last = text_.data() + end;
    if (integral) {
      int64_t whole = 0;
      if (std::from_chars(first, last, whole).ec == std::errc()) {
        out = Json(whole);
      } else {
        out = Json::big_integer(std::string(first, last));
      }
      return true;
    }
    double real = 0;
    if (std::from_chars(first, last, real).ec == std::errc::result_out_of_range) {
      // Too large is infinite, too small is zero; from_chars does not say which, the exponent's sign does.
      const std::string_view digits(first, static_cast<size_t>(last - first));
      const bool tiny = digits.find("e-") != std::string_view::npos || digits.find("E-") != std::string_view::npos;
      real = tiny ? 0.0 : std::numeric_limits<double>::infinity();
      if (*first == '-') real = -real;
    }
    out = Json(real);
    return true;
  }

  bool array(Json& out, int depth) {
    Json::Array items;
    ++at_;
    skip_space();
    if (peek(']')) {
      ++at_;
      out = Json(std::move(items));
      return true;
    }
    for (;;) {
      Json item;
      if (!value(item, depth + 1)) return false;
      items.push_back(std::move(item));
      skip_space();
      if (peek(']')) break;
      if (!peek(',')) return fail("Expecting ',' delimiter", at_);
      ++at_;
      skip_space();
    }
    ++at_;
    out = Json(std::move(items));
    return true;
  }

  bool object(Json& out, int depth) {
    out = Json(Json::Object{});
    ++at_;
    skip_space();
    if (peek('}')) return ++at_, true;
    for (;;) {
      if (!peek('"')) return fail("Expecting property name enclosed in double quotes", at_);
      std::string name;
      if (!string(name)) return false;
      skip_space();
      if (!peek(':')) return fail("Expecting ':' delimiter", at_);
      ++at_;
      skip_space();
      Json member;
      if (!value(member, depth + 1)) return false;
      out.as_object().emplace_back(std::move(name), std::move(member));
      skip_space();
      if (peek('}')) break;
      if (!peek(',')) return fail("Expecting ',' delimiter", at_);
      ++at_;
      skip_space();
    }
    ++at_;
    return keep_last_of_duplicates(out.as_object());
  }

  static bool keep_last_of_duplicates(Json::Object& members) {
    constexpr size_t kQuadraticMax = 256;  // such bodies are small; beyond, first-wins order does not matter to fields
    if (members.size() > kQuadraticMax) return true;
    for (size_t i = members.size(); i-- > 1;) {
      for (size_t k = 0; k < i; ++k) {
        if (members[k].first != members[i].first) continue;
        members[k].second = std::move(members[i].second);
        members.erase(members.begin() + static_cast<std::ptrdiff_t>(i));
        break;
      }
    }
    return true;
  }

  bool hex4(uint32_t& code) {
    if (at_ + 4 > text_.size()) return false;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, code, 16);
    if (error != std::errc() || end != text_.data() + at_ + 4) return false;
    at_ += 4;
    return true;
  }

  bool unicode_escape(std::string& out, size_t backslash) {
    uint32_t code = 0;
    if (!hex4(code)) return fail("Invalid \\uXXXX escape", backslash + 1);
    if (is_high_surrogate(code) && text_.substr(at_, 2) == "\\u") {
      const size_t before = at_;
      at_ += 2;
      uint32_t low = 0;
      if (!hex4(low)) return fail("Invalid \\uXXXX escape", before + 1);
      if (is_low_surrogate(low)) {
        append_utf8(out, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
        return true;
      }
      at_ = before;
    }
    if (is_high_surrogate(code) || is_low_surrogate(code)) {
      lone_surrogate_ = true;
      code = 0xFFFD;
    }
    append_utf8(out, code);
    return true;
  }

  bool string(std::string& out) {
    const size_t begin = at_++;
    for (;;) {
      if (at_ >= text_.size()) return fail("Unterminated string starting at", begin);
      const char c = text_[at_];
      if (c == '"') return ++at_, true;
      if (static_cast<unsigned char>(c) < 0x20) return fail("Invalid control character at", at_);
      if (c != '\\') {
        out += c;
        ++at_;
        continue;
      }
      const size_t backslash = at_++;
      if (at_ >= text_.size()) return fail("Unterminated string starting at", begin);
      const char escape = text_[at_++];
      constexpr std::string_view kNames = "\"\\/bfnrt";
      constexpr std::string_view kChars = "\"\\/\b\f\n\r\t";
      if (escape == 'u') {
        if (!unicode_escape(out, backslash)) return false;
      } else if (const size_t which = kNames.find(escape); which != std::string_view::npos) {
        out += kChars[which];
      } else {
        return fail("Invalid \\escape", backslash);
      }
    }
  }

  const std::string_view text_;
  size_t at_ = 0;
  bool lone_surrogate_ = false;
  Failure failure_;
};

/// Counts commas and opening brackets outside of strings: each is followed by one value at most.
bool has_too_many_values(std::string_view bytes) {
  if (static_cast<int64_t>(bytes.size()) <= kBodyValuesMax) return false;
  int64_t count = 0;
  bool in_string = false;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (c == '"') in_string = !in_string;
    if (in_string && c == '\\') ++i;
    if (!in_string && (c == ',' || c == '[' || c == '{') && ++count > kBodyValuesMax) return true;
  }
  return false;
}

/// Characters before byte `at`: Python counts characters, we count bytes.
size_t characters_before(std::string_view text, size_t at) {
  size_t count = 0;
  for (size_t i = 0; i < at && i < text.size(); ++i) count += (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
  return count;
}

ApiError too_many_values() {
  return bad_request("the body holds more than " + std::to_string(kBodyValuesMax) + " values");
}

ApiError unreadable() { return ApiError{.message = "There was an error parsing the body", .bare = true}; }

}  // namespace

std::optional<ApiError> parse_body(std::string_view bytes, Json& out) {
  if (bytes.empty()) {
    out = Json();
    return schema_error({{"missing", "body", "Field required", "None"}});
  }
  const Encoding encoding = detect_encoding(bytes);
  if (encoding.unit == 1 && has_too_many_values(bytes)) return too_many_values();
  if (auto parsed = Json::parse(bytes); parsed.ok()) {
    out = std::move(parsed).value();
    return std::nullopt;
  }
  std::string decoded;
  std::string_view text = bytes.substr(encoding.mark);
  if (encoding.unit > 1) {
    if (!decode_wide(text, encoding, decoded)) return unreadable();
    text = decoded;
    if (has_too_many_values(text)) return too_many_values();
  } else if (!valid_utf8(text)) {
    return unreadable();
  }
  const Failure failure = TolerantParser(text).parse(out);
  switch (failure.kind) {
    case Failure::Kind::kNone:
      return std::nullopt;
    case Failure::Kind::kUnreadable:
      return unreadable();
    case Failure::Kind::kLoneSurrogate:
      return bad_request("the body holds a lone surrogate (\\ud800 to \\udfff), which is not text");
    case Failure::Kind::kSyntax:
      break;
  }
  const std::string place = "body." + std::to_string(characters_before(text, failure.at));
  return schema_error(
      {{"json_invalid", place, "JSON decode error", "<dict of 0 items>", "'error': " + python_string(failure.reason)}});
}

bool is_json_media_type(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  constexpr std::string_view kJson = "application/json";
  if (type.size() != kJson.size()) return false;
  for (size_t i = 0; i < type.size(); ++i) {
    const char lower = type[i] >= 'A' && type[i] <= 'Z' ? static_cast<char>(type[i] + 32) : type[i];
    if (lower != kJson[i]) return false;
  }
  return true;
}

ApiError media_type_error() {
  return ApiError{.type = "Bad Request",
                  .message = "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed"};
}

}  // namespace seraph
