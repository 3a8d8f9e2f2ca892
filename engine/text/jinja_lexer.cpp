#include "engine/text/jinja_lexer.h"

#include <algorithm>
#include <array>

#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {
namespace {

std::string normalize_newlines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') {
      out += '\n';
      if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool is_digit_of(char c, int base) {
  if (c >= '0' && c <= '9') return c - '0' < base;
  const char lower = static_cast<char>(c | 0x20);
  return base == 16 && lower >= 'a' && lower <= 'f';
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalize_newlines(source)) {
    if (!source_.empty() && source_.back() == '\n') source_.pop_back();
  }

  std::vector<Token> run() {
    try {
      while (at_ < source_.size()) lex_root();
      push(Tok::kEof, "", at_);
    } catch (const TemplateError& error) {
      tokens_.push_back({Tok::kError, error.what(), error.at});
    }
    return std::move(tokens_);
  }

 private:
  Position position(size_t offset) {
    // Offsets only grow, but for an error's start within the last token.
    if (offset < counted_to_) {
      counted_to_ = 0;
      line_ = 1;
      line_start_ = 0;
    }
    for (; counted_to_ < offset; ++counted_to_) {
      if (source_[counted_to_] == '\n') {
        ++line_;
        line_start_ = counted_to_ + 1;
      }
    }
    return {line_, static_cast<int32_t>(offset - line_start_ + 1)};
  }

  void push(Tok type, std::string text, size_t offset) { tokens_.push_back({type, std::move(text), position(offset)}); }
  bool looking_at(std::string_view text) const { return std::string_view(source_).substr(at_, text.size()) == text; }
  size_t skip_space(size_t at) const {
    while (at < source_.size()) {
      size_t next = at;
      if (!is_space(next_code_point(source_, next))) break;
      at = next;
    }
    return at;
  }

  /// If a raw tag begins at `at`, the offset behind it; 0 otherwise.
  size_t raw_tag_end(size_t at, std::string_view word, bool closing) const {
    const std::string_view text = source_;
    at += 2;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    at = skip_space(at);
    if (text.substr(at, word.size()) != word) return 0;
    at = skip_space(at + word.size());
    if (closing && text.substr(at, 3) == "+%}") return at + 3;
    if (text.substr(at, 3) == "-%}") return skip_space(at + 3);
    if (text.substr(at, 2) != "%}") return 0;
    at += 2;
    return closing && at < text.size() && text[at] == '\n' ? at + 1 : at;
  }

  void push_data(size_t begin, size_t end, char sign, bool lstrip) {
    std::string_view text = std::string_view(source_).substr(begin, end - begin);
    if (sign == '-') {
      text = strip_space(text, kRight);
    } else if (sign != '+' && lstrip) {
      const size_t line = text.rfind('\n') + 1;  // npos + 1 is 0
      // Only spaces between the start of the line and the tag: they go. Without a line break before them in this
      // text, it must begin a line.
      const bool starts_line = line > 0 || line_starting_;
      if (starts_line && line < text.size() && strip_space(text.substr(line), kBoth).empty())
        text = text.substr(0, line);
    }
    if (!text.empty()) push(Tok::kData, std::string(text), begin);
  }

  char sign_at(size_t offset) const {
    const char c = offset < source_.size() ? source_[offset] : '\0';
    return c == '-' || c == '+' ? c : '\0';
  }

  /// Data up to the next tag, and the tag.
  void lex_root() {
    size_t tag = at_;
    for (;; ++tag) {
      tag = source_.find('{', tag);
      if (tag == std::string::npos || tag + 1 >= source_.size()) {
        push_data(at_, source_.size(), '+', false);
        at_ = source_.size();
        return;
      }
      const char kind = source_[tag + 1];
      if (kind == '{' || kind == '%' || kind == '#') break;
    }
    const char kind = source_[tag + 1];
    const char sign = sign_at(tag + 2);
    push_data(at_, tag, sign, kind != '{');
    const size_t after = tag + 2 + (sign != '\0' ? 1 : 0);
    if (kind == '#') return lex_comment(tag, after);
    if (kind == '%') {
      if (const size_t body = raw_tag_end(tag, "raw", false); body != 0) return lex_raw(tag, body);
    }
    push(kind == '%' ? Tok::kBlockBegin : Tok::kVariableBegin, "", tag);
    at_ = after;
    lex_code(kind == '%');
  }

  void finish_tag(size_t end) {
    at_ = end;
    line_starting_ = end > 0 && source_[end - 1] == '\n';
  }

  void lex_comment(size_t tag, size_t after) {
    const size_t close = source_.find("#}", after);
    if (close == std::string::npos) {
      if (after >= source_.size()) {  // nothing left to match: Jinja stops without complaint
        at_ = source_.size();
        return;
      }
      fail_at("Missing end of comment tag", position(tag));
    }
    size_t end = close + 2;
    const char sign = close > after ? source_[close - 1] : '\0';
    if (sign == '-') {
      end = skip_space(end);
    } else if (sign != '+' && end < source_.size() && source_[end] == '\n') {
      ++end;
    }
    finish_tag(end);
  }

  void lex_raw(size_t tag, size_t body) {
    line_starting_ = source_[body - 1] == '\n';
    for (size_t close = source_.find("{%", body); close != std::string::npos; close = source_.find("{%", close + 2)) {
      const size_t end = raw_tag_end(close, "endraw", true);
      if (end == 0) continue;
      push_data(body, close, sign_at(close + 2), true);
      return finish_tag(end);
    }
    if (body < source_.size()) fail_at("Missing end of raw directive", position(tag));
    at_ = source_.size();
  }

  /// The offset behind an end tag at at_, or 0.
  size_t end_tag(bool block) const {
    const std::string_view close = block ? "%}" : "}}";
    const std::string_view rest = std::string_view(source_).substr(at_);
    if (rest.starts_with('-') && rest.substr(1, 2) == close) return skip_space(at_ + 3);
    if (block && rest.starts_with("+%}")) return at_ + 3;
    if (!rest.starts_with(close)) return 0;
    const size_t end = at_ + 2;
    return block && end < source_.size() && source_[end] == '\n' ? end + 1 : end;
  }

  void lex_code(bool block) {
    std::string open;  // brackets that wait for their partners
    while (at_ < source_.size()) {
      if (open.empty()) {
        if (const size_t end = end_tag(block); end != 0) {
          push(block ? Tok::kBlockEnd : Tok::kVariableEnd, "", at_);
          return finish_tag(end);
        }
      }
      if (const size_t next = skip_space(at_); next != at_) {
        at_ = next;
        continue;
      }
      if (lex_number() || lex_name() || lex_string() || lex_operator(open)) continue;
      size_t next = at_;
      next_code_point(source_, next);
      fail_at("unexpected char " + quoted(source_.substr(at_, next - at_)) + " at " +
                  std::to_string(count_code_points(std::string_view(source_).substr(0, at_))),
              position(at_));
    }
    line_starting_ = false;
  }

  static std::string quoted(const std::string& text) { return text == "'" ? "\"'\"" : "'" + text + "'"; }

  /// Digits with single underscores between; the offset behind them, or `at` when there are none.
  size_t digits_end(size_t at, int base) const {
    size_t end = at;
    while (at < source_.size()) {
      if (is_digit_of(source_[at], base)) {
        end = ++at;
      } else if (source_[at] == '_' && at > end - 1 && end == at) {
        ++at;
      } else {
        break;
      }
    }
    return end;
  }

  /// "\d" digits with underscores, the first one required to be a digit.
  size_t decimals_end(size_t at) const {
    if (at >= source_.size() || !is_digit_of(source_[at], 10)) return at;
    return digits_end(at, 10);
  }

  size_t float_end() const {
    if (at_ > 0 && source_[at_ - 1] == '.') return at_;
    const size_t whole = decimals_end(at_);
    if (whole == at_) return at_;
    size_t end = whole;
    bool is_float = false;
    if (end < source_.size() && source_[end] == '.') {
      if (const size_t fraction = decimals_end(end + 1); fraction != end + 1) {
        end = fraction;
        is_float = true;
      }
    }
    if (end < source_.size() && (source_[end] | 0x20) == 'e') {
      size_t exponent = end + 1;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) ++exponent;
      if (const size_t digits = decimals_end(exponent); digits != exponent) {
        end = digits;
        is_float = true;
      }
    }
    return is_float ? end : at_;
  }

  size_t integer_end() const {
    const char c = source_[at_];
    if (!is_digit_of(c, 10)) return at_;
    if (c != '0') return digits_end(at_, 10);
    const char mark = at_ + 1 < source_.size() ? static_cast<char>(source_[at_ + 1] | 0x20) : '\0';
    const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (base != 0) {
      size_t digits = at_ + 2;
      if (digits < source_.size() && source_[digits] == '_') ++digits;
      if (const size_t end = digits_end(digits, base); end != digits) return end;
    }
    size_t end = at_ + 1;  // zeros only
    while (end < source_.size() && (source_[end] == '0' || (source_[end] == '_' && source_.substr(end + 1, 1) == "0")))
      ++end;
    return end;
  }

  bool lex_number() {
    const size_t real = float_end();
    const size_t end = real != at_ ? real : integer_end();
    if (end == at_) return false;
    std::string text = source_.substr(at_, end - at_);
    std::erase(text, '_');
    push(real != at_ ? Tok::kFloat : Tok::kInteger, std::move(text), at_);
    at_ = end;
    return true;
  }

  bool lex_name() {
    size_t end = at_;
    while (end < source_.size()) {
      size_t next = end;
      if (!is_word(next_code_point(source_, next))) break;
      end = next;
    }
    if (end == at_) return false;
    std::string text = source_.substr(at_, end - at_);
    if (!is_identifier(text)) fail_at("Invalid character in identifier", position(at_));
    push(Tok::kName, std::move(text), at_);
    at_ = end;
    return true;
  }

  bool lex_string() {
    const char quote = source_[at_];
    if (quote != '\'' && quote != '"') return false;
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) return false;
    push(Tok::kString, unescape(std::string_view(source_).substr(at_ + 1, end - at_ - 1)), at_);
    at_ = end + 1;
    return true;
  }

  /// Python's unicode-escape, as Jinja applies it to string literals.
  std::string unescape(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        out += text[i];
        continue;
      }
      const char c = text[++i];
      static constexpr std::string_view kFrom = "\\'\"abfnrtv";
      static constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
      if (const size_t at = kFrom.find(c); at != kFrom.npos) {
        out += kTo[at];
      } else if (c >= '0' && c <= '7') {
        char32_t code = 0;
        size_t count = 0;
        for (; count < 3 && i + count < text.size() && is_digit_of(text[i + count], 8); ++count) {
          code = code * 8 + static_cast<char32_t>(text[i + count] - '0');
        }
        append_code_point(out, code);
        i += count - 1;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const size_t width = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        i += append_hex(out, text.substr(i + 1), width);
      } else if (c == 'N') {
        fail_at("character names (\\N{...}) are not offered", position(at_));
      } else if (c != '\n') {
        out += '\\';
        out += c;
      }
    }
    return out;
  }

  size_t append_hex(std::string& out, std::string_view text, size_t width) {
    char32_t code = 0;
    for (size_t i = 0; i < width; ++i) {
      if (i >= text.size() || !is_digit_of(text[i], 16)) fail_at("truncated escape in a string", position(at_));
      const char c = text[i];
      code = code << 4 | static_cast<char32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (code > 0x10FFFF) fail_at("illegal Unicode character", position(at_));
    append_code_point(out, code);
    return width;
  }

  bool lex_operator(std::string& open) {
    static constexpr std::array<std::string_view, 26> kOperators = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                                    "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                                    ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    const auto* found =
        std::find_if(kOperators.begin(), kOperators.end(), [&](std::string_view op) { return looking_at(op); });
    if (found == kOperators.end()) return false;
    const char c = found->front();
    if (*found == "{" || *found == "(" || *found == "[") open += c == '{' ? '}' : c == '(' ? ')' : ']';
    if (*found == "}" || *found == ")" || *found == "]") {
      if (open.empty()) fail_at(std::string("unexpected '") + c + "'", position(at_));
      if (open.back() != c) {
        fail_at(std::string("unexpected '") + c + "', expected '" + open.back() + "'", position(at_));
      }
      open.pop_back();
    }
    push(Tok::kOperator, std::string(*found), at_);
    at_ += found->size();
    return true;
  }

  std::string source_;
  size_t at_ = 0;
  bool line_starting_ = true;  // the text at at_ begins a line
  std::vector<Token> tokens_;
  size_t counted_to_ = 0;
  size_t line_start_ = 0;
  int32_t line_ = 1;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace seraph::jinja
