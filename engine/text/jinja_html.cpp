// HTML and URL helpers: escape, striptags, urlencode.
#include <array>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {
namespace {

/// One HTML entity at the start of `text` ("&...;") as text; its length in `used`, 0 when it is none we know.
std::string decode_entity(std::string_view text, size_t& used) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kNamed = {{{"amp", "&"},
                                                                                           {"lt", "<"},
                                                                                           {"gt", ">"},
                                                                                           {"quot", "\""},
                                                                                           {"apos", "'"},
                                                                                           {"nbsp", "\xC2\xA0"},
                                                                                           {"copy", "\xC2\xA9"},
                                                                                           {"reg", "\xC2\xAE"}}};
  used = 0;
  const size_t end = text.find(';');
  if (end == std::string_view::npos || end > 12) return {};
  const std::string_view name = text.substr(1, end - 1);
  for (const auto& [known, value] : kNamed) {
    if (name == known) {
      used = end + 1;
      return std::string(value);
    }
  }
  if (name.size() < 2 || name[0] != '#') return {};
  const bool hex = (name[1] | 0x20) == 'x';
  char32_t code = 0;
  for (const char c : name.substr(hex ? 2 : 1)) {
    const char lower = static_cast<char>(c | 0x20);
    const bool letter = hex && lower >= 'a' && lower <= 'f';
    if ((c < '0' || c > '9') && !letter) return {};
    code = code * (hex ? 16 : 10) + static_cast<char32_t>(letter ? lower - 'a' + 10 : c - '0');
  }
  if (code == 0 || code > 0x10FFFF) return {};
  used = end + 1;
  std::string out;
  append_code_point(out, code);
  return out;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

Value escape(Interpreter& in, const Value& value) {
  if (is_markup(value)) return value;
  return in.str(escape_html(to_str(value)), true);
}

std::string strip_tags(std::string_view source) {
  std::string text(source);
  // Comments first, then tags, as markupsafe does; each removal looks for the next "<".
  for (size_t begin = text.find("<!--"); begin != std::string::npos; begin = text.find("<!--")) {
    const size_t end = text.find("-->", begin);
    if (end == std::string::npos) break;
    text.erase(begin, end + 3 - begin);
  }
  std::string plain;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = text.find('<', at);
    const size_t end = begin == std::string::npos ? begin : text.find('>', begin);
    if (end == std::string::npos) {
      plain.append(text, at);
      break;
    }
    plain.append(text, at, begin - at);
    at = end + 1;
  }
  std::string words;
  bool space = false;
  for (size_t at = 0; at < plain.size();) {
    const size_t start = at;
    if (is_space(next_code_point(plain, at))) {
      space = true;
      continue;
    }
    if (space && !words.empty()) words += ' ';
    space = false;
    words.append(plain, start, at - start);
  }
  std::string out;
  for (size_t at = 0; at < words.size();) {
    size_t used = 0;
    if (words[at] == '&') out += decode_entity(std::string_view(words).substr(at), used);
    if (used == 0) out += words[at++];
    at += used;
  }
  return out;
}

std::string url_quote(std::string_view text, bool for_query) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == '.' || c == '-' || c == '~' || (c == '/' && !for_query);
    if (plain) {
      out += c;
    } else if (c == ' ' && for_query) {
      out += '+';
    } else {
      static constexpr char kHex[] = "0123456789ABCDEF";
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

}  // namespace seraph::jinja
