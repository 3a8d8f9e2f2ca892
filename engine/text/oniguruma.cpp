#include "engine/text/oniguruma.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

constexpr int kClassDepthMax = 16;

// White_Space; PCRE2's own \s would add U+180E and, inside classes, depends on the build's options.
constexpr std::string_view kSpace =
    "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
// With the letters in circles and squares, which are Alphabetic.
constexpr std::string_view kWord =
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}"
    "\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}";
// Oniguruma looks up the first 256 characters in another table where \w stands alone: superscripts and fractions count.
constexpr std::string_view kWordAloneToo = "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}";
constexpr std::string_view kHex = "0-9A-Fa-f";
constexpr std::string_view kDigit = "\\p{Nd}";

/// POSIX names, in brackets or as properties: [[:alpha:]], \p{Alpha}. As a property, Punct has no symbols.
constexpr std::pair<std::string_view, std::string_view> kPosix[] = {
    {"alnum", "\\p{Alphabetic}\\p{Nd}"},
    {"alpha", "\\p{Alphabetic}"},
    {"ascii", "\\x00-\\x7f"},
    {"blank", "\\p{Zs}\\t"},
    {"cntrl", "\\p{Cc}"},
    {"digit", kDigit},
    {"lower", "\\p{Lowercase}"},
    {"punct", "\\p{P}\\p{S}"},
    {"space", kSpace},
    {"upper", "\\p{Uppercase}"},
    {"word", kWord},
    {"xdigit", kHex},
};

std::string_view find_posix(std::string_view name) {
  for (const auto& [known, members] : kPosix) {
    const auto same = [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + ('a' - 'A') : b); };
    if (std::equal(known.begin(), known.end(), name.begin(), name.end(), same)) return members;
  }
  return {};
}

bool is_alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

bool compiles(const std::string& pattern) {
  int code = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                       PCRE2_UTF | PCRE2_UCP, &code, &offset, nullptr);
  pcre2_code_free(compiled);
  return compiled != nullptr;
}

std::string spell(uint32_t character) {
  if (character < 128 && is_alnum(static_cast<char>(character))) return {static_cast<char>(character)};
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string digits;
  for (; character != 0 || digits.empty(); character /= 16) digits.insert(digits.begin(), kDigits[character % 16]);
  return "\\x{" + digits + '}';
}

/// Characters as the members of a PCRE2 class, or as their complement.
struct CharSet {
  std::string members;
  bool negated = false;
  std::string as_class() const { return (negated ? "[^" : "[") + members + ']'; }
};

/// One side of && in a class: members, and what is no member of a PCRE2 class but matches one character.
struct Union {
  std::string members;
  std::vector<std::string> atoms;

  bool empty() const { return members.empty() && atoms.empty(); }
  void add(const CharSet& set) {
    if (set.negated) {
      atoms.push_back(set.as_class());
    } else {
      members += set.members;
    }
  }
  std::string spell() const {
    std::string out = members.empty() ? "" : '[' + members + ']';
    for (const std::string& atom : atoms) out += (out.empty() ? "" : "|") + atom;
    return atoms.empty() || (members.empty() && atoms.size() == 1) ? out : "(?:" + out + ')';
  }
};

/// A bracket expression: the characters that are in all sides, or the others.
struct Class {
  std::vector<Union> sides = std::vector<Union>(1);
  bool negated = false;

  bool is_union() const { return sides.size() == 1 && !negated; }
  std::string spell() const {
    if (sides.size() == 1 && sides[0].atoms.empty()) return CharSet{sides[0].members, negated}.as_class();
    std::string out = sides.back().spell();
    if (sides.size() > 1) {
      std::string others;
      for (size_t i = 0; i + 1 < sides.size(); ++i) others += "(?=" + sides[i].spell() + ')';
      out = "(?:" + others + out + ')';
    }
    return negated ? "(?:(?!" + out + ")(?s:.))" : out;
  }
};

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  Result<std::string> run() {
    while (!at_end() && problem_.empty()) step();
    close_options();
    if (problem_.empty()) return std::move(out_);
    return Error{ErrorCode::kUnsupported,
                 "a regular expression has " + problem_ + " near byte " + std::to_string(position_),
                 "use a tokenizer whose patterns do without"};
  }

 private:
  bool at_end() const { return position_ >= pattern_.size(); }
  std::string_view rest() const { return pattern_.substr(position_); }
  bool eat(std::string_view word) {
    if (!rest().starts_with(word)) return false;
    position_ += word.size();
    return true;
  }
  /// The bytes of the next character.
  std::string_view take() {
    const std::string_view character =
        pattern_.substr(position_, utf8_length(static_cast<unsigned char>(pattern_[position_])));
    position_ += character.size();
    return character;
  }
  void fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }

  void step() {
    if (eat("{")) return repeat();
    if (rest()[0] != '*' && rest()[0] != '+' && rest()[0] != '?') atom_begin_ = out_.size();
    if (eat("\\")) return escape();
    if (eat("[")) {
      out_ += read_class(0).spell();
    } else if (eat("(")) {
      open_group();
    } else if (eat(")")) {
      close_options();
      atom_begin_ = groups_.back().begin;
      groups_.pop_back();
      if (groups_.empty()) fail("a parenthesis too many");
      out_ += ')';
    } else {
      out_ += take();
    }
  }

  /// (?i) holds to the end of the group, for its later alternatives too: a group of its own.
  void close_options() {
    if (groups_.empty()) return;
    out_.append(static_cast<size_t>(groups_.back().num_options), ')');
    groups_.back().num_options = 0;
  }

  void open_group() {
    if (rest().starts_with('*')) return fail("a verb");
    if (!eat("?")) return open("(");
    for (const std::string_view kind : {":", "=", "!", ">", "<=", "<!"}) {
      if (eat(kind)) return open("(?" + std::string(kind));
    }
    if (eat("#")) {
      const size_t end = rest().find(')');
      if (end == std::string_view::npos) return fail("an endless comment");
      position_ += end + 1;
      return;
    }
    if (rest().starts_with('<') || rest().starts_with('\'')) return open("(?");
    std::string options = "(?";
    while (!at_end() && (rest()[0] == 'i' || rest()[0] == 'm' || rest()[0] == '-')) {
      const char option = take()[0];
      options += option == 'm' ? 's' : option;  // Ruby's m: a dot matches line feeds
    }
    if (eat(":")) return open(options + ':');
    if (!eat(")")) return fail("a kind of group");
    out_ += options + ':';
    ++groups_.back().num_options;
  }
  void open(const std::string& begin) {
    groups_.push_back({.begin = out_.size()});
    out_ += begin;
  }

  /// Behind a brace: an interval, or a brace. Ruby's {n}? and {n,m}+ are repeats of a repeat.
  void repeat() {
    size_t at = position_;
    const auto digits = [&] {
      const size_t begin = at;
      while (at < pattern_.size() && pattern_[at] >= '0' && pattern_[at] <= '9') ++at;
      return std::string(pattern_.substr(begin, at - begin));
    };
    const std::string low = digits();
    const bool range = at < pattern_.size() && pattern_[at] == ',';
    if (range) ++at;
    const std::string high = range ? digits() : "";
    if ((low.empty() && high.empty()) || at >= pattern_.size() || pattern_[at] != '}') {
      out_ += "\\{";
      return;
    }
    position_ = at + 1;
    out_ += '{' + (low.empty() ? "0" : low) + (range ? "," + high : "") + '}';
    const bool again = eat("+");
    if (!again && (range || !eat("?"))) return;
    out_.insert(atom_begin_, "(?:");
    out_ += again ? ")+" : ")?";
  }

  /// Behind a backslash, outside of classes.
  void escape() {
    if (at_end()) return fail("a backslash at its end");
    CharSet set;
    if (read_set_escape(set)) {
      if (set.members == kWord) set.members += kWordAloneToo;
      out_ += set.as_class();
      return;
    }
    const char c = pattern_[position_];
    const std::string word = '[' + std::string(kWord) + std::string(kWordAloneToo) + ']';
    if (c == 'b' || c == 'B') {
      ++position_;
      const std::string_view after = c == 'b' ? "(?!" : "(?=", before = c == 'b' ? "(?=" : "(?!";
      out_ += "(?:(?<=" + word + ')' + std::string(after) + word + ")|(?<!" + word + ')' + std::string(before) + word +
              "))";
    } else if (c >= '1' && c <= '9') {
      ++position_;
      if (!at_end() && rest()[0] >= '0' && rest()[0] <= '9') return fail("a back reference of several digits");
      out_ += {'\\', c};
    } else if (std::string_view("AzZKRk").find(c) != std::string_view::npos) {
      ++position_;
      out_ += {'\\', c};
    } else {
      out_ += spell(read_character_escape());
    }
  }

  /// Behind a backslash: an escape that stands for many characters. False, and nothing read, when it is none.
  bool read_set_escape(CharSet& set) {
    const char c = pattern_[position_];
    const char lower = static_cast<char>(c | 0x20);
    set.negated = c != lower;
    switch (lower) {
      case 's':
        set.members = kSpace;
        break;
      case 'w':
        set.members = kWord;
        break;
      case 'h':
        set.members = kHex;
        break;
      case 'd':
        set.members = kDigit;
        break;
      case 'p':
        ++position_;
        read_property(set);
        return true;
      default:
        return false;
    }
    ++position_;
    return true;
  }

  /// Behind \p or \P.
  void read_property(CharSet& set) {
    const size_t end = rest().find('}');
    if (!eat("{") || end == std::string_view::npos) return fail("\\p without braces");
    if (eat("^")) set.negated = !set.negated;
    const std::string name(pattern_.substr(position_, pattern_.find('}', position_) - position_));
    position_ += name.size() + 1;
    const bool plain =
        std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(c) || c == '_' || c == ' ' || c == '-'; });
    set.members = find_posix(name);
    if (set.members == find_posix("punct")) set.members = "\\p{P}";
    if (!set.members.empty()) return;
    // Oniguruma's scripts are Script; PCRE2's plain names are Script_Extensions.
    for (const char* prefix : {"\\p{sc:", "\\p{"}) {
      set.members = prefix + name + '}';
      if (plain && compiles(set.members)) return;
    }
    fail("the property \"" + name + '"');
  }

  /// Behind a backslash: an escape of one character.
  uint32_t read_character_escape() {
    static constexpr std::string_view kNames = "abefnrtv";
    static constexpr char kCharacters[] = {7, 8, 27, 12, 10, 13, 9, 11};
    if (eat("x{")) {
      const uint32_t value = read_digits(16, 8);
      if (!eat("}")) fail("\\x without its end");
      return check_scalar(value);
    }
    if (eat("x")) {
      const uint32_t value = read_digits(16, 2);
      if (value >= 128) fail("a character spelt as bytes");
      return value;
    }
    if (eat("u")) {
      const size_t begin = position_;
      const uint32_t value = read_digits(16, 4);
      if (position_ != begin + 4) fail("\\u without four digits");
      return check_scalar(value);
    }
    if (rest()[0] >= '0' && rest()[0] <= '7') {
      const uint32_t value = read_digits(8, 3);
      if (value >= 128) fail("a character spelt as bytes");
      return value;
    }
    const size_t named = kNames.find(rest()[0]);
    if (named != std::string_view::npos) {
      ++position_;
      return static_cast<unsigned char>(kCharacters[named]);
    }
    if (is_alnum(rest()[0])) fail(std::string("the escape \\") + rest()[0]);
    return decode(take());
  }
  uint32_t check_scalar(uint32_t value) {
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) fail("a character that does not exist");
    return value;
  }
  uint32_t read_digits(uint32_t base, size_t count_max) {
    uint32_t value = 0;
    const size_t begin = position_;
    for (; !at_end() && position_ < begin + count_max; ++position_) {
      const char c = pattern_[position_];
      const char lower = static_cast<char>(c | 0x20);
      const uint32_t digit = c >= '0' && c <= '9'           ? static_cast<uint32_t>(c - '0')
                             : lower >= 'a' && lower <= 'f' ? static_cast<uint32_t>(lower - 'a') + 10
                                                            : 99;
      if (digit >= base) break;
      value = value * base + digit;
    }
    if (position_ == begin) fail("an escape without digits");
    return value;
  }
  static uint32_t decode(std::string_view character) {
    size_t length = 0;
    return decode_utf8(character, 0, length);
  }

  /// Behind an opening bracket.
  Class read_class(int depth) {
    Class out;
    if (depth > kClassDepthMax) fail("too deep a class");
    out.negated = eat("^");
    for (bool first = true; problem_.empty(); first = false) {
      if (at_end()) {
        fail("an endless class");
      } else if (!first && eat("]")) {
        break;
      } else if (eat("&&")) {
        out.sides.emplace_back();
      } else if (eat("[")) {
        read_nested(out.sides.back(), depth);
      } else {
        read_member(out.sides.back());
      }
    }
    const bool some = std::none_of(out.sides.begin(), out.sides.end(), [](const Union& side) { return side.empty(); });
    if (!some) fail("an empty class");
    return out;
  }

  /// Behind a bracket inside a class: a POSIX name or another class.
  void read_nested(Union& side, int depth) {
    const size_t end = rest().find(":]");
    if (rest().starts_with(':') && end != std::string_view::npos) {
      std::string_view name = rest().substr(1, end - 1);
      CharSet set;
      set.negated = name.starts_with('^');
      if (set.negated) name.remove_prefix(1);
      set.members = find_posix(name);
      if (set.members.empty()) return fail("the class [:" + std::string(name) + ":]");
      position_ += end + 2;
      return side.add(set);
    }
    const Class nested = read_class(depth + 1);
    if (!problem_.empty()) return;
    if (!nested.is_union()) {
      side.atoms.push_back(nested.spell());
      return;
    }
    side.members += nested.sides[0].members;
    side.atoms.insert(side.atoms.end(), nested.sides[0].atoms.begin(), nested.sides[0].atoms.end());
  }

  /// A character, a range or an escape.
  void read_member(Union& side) {
    CharSet set;
    const uint32_t low = read_class_character(set);
    if (!set.members.empty()) return side.add(set);
    side.members += spell(low);
    const bool range = rest().starts_with('-') && !rest().starts_with("-]") && !rest().starts_with("-&&");
    if (!range) return;
    ++position_;
    if (at_end()) return fail("an endless class");
    const uint32_t high = rest().starts_with('[') ? 0 : read_class_character(set);
    if (!set.members.empty() || high < low) return fail("a range without its end");
    side.members += '-' + spell(high);
  }

  /// The character, or the set of an escape that stands for many.
  uint32_t read_class_character(CharSet& set) {
    if (!eat("\\")) return decode(take());
    if (at_end()) {
      fail("an endless class");
      return 0;
    }
    return read_set_escape(set) ? 0 : read_character_escape();
  }

  const std::string_view pattern_;
  size_t position_ = 0;
  std::string out_;
  struct Group {
    size_t begin = 0;     // in out_
    int num_options = 0;  // groups made of (?i)
  };
  std::vector<Group> groups_ = std::vector<Group>(1);  // the open ones, the whole pattern first
  size_t atom_begin_ = 0;                              // in out_: of what a quantifier would repeat
  std::string problem_;
};

}  // namespace

Result<std::string> translate_oniguruma(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace seraph::text
