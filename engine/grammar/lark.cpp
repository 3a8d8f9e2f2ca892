#include "engine/grammar/lark.h"

#include <map>
#include <string>

#include "engine/grammar/rule_nodes.h"

namespace seraph::grammar {
namespace {

bool is_name_start(uint32_t c) { return c == '_' || (c < 128 && std::isalpha(static_cast<int>(c))); }
bool is_name_char(uint32_t c) { return is_name_start(c) || (c >= '0' && c <= '9'); }
bool is_space(uint32_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// Lark's module `common`.
constexpr std::pair<std::string_view, std::string_view> kCommon[] = {
    {"DIGIT", "[0-9]"},
    {"HEXDIGIT", "[0-9A-Fa-f]"},
    {"INT", "[0-9]+"},
    {"SIGNED_INT", "[+-]?[0-9]+"},
    {"DECIMAL", "[0-9]+\\.[0-9]*|\\.[0-9]+"},
    {"FLOAT", "[0-9]+[eE][+-]?[0-9]+|([0-9]+\\.[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?"},
    {"NUMBER", "[0-9]+([eE][+-]?[0-9]+)?|([0-9]+\\.[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?"},
    {"SIGNED_NUMBER", "[+-]?([0-9]+([eE][+-]?[0-9]+)?|([0-9]+\\.[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?)"},
    {"ESCAPED_STRING", "\"([^\"\\\\\n]|\\\\[^\n])*\""},
    {"LCASE_LETTER", "[a-z]"},
    {"UCASE_LETTER", "[A-Z]"},
    {"LETTER", "[A-Za-z]"},
    {"WORD", "[A-Za-z]+"},
    {"CNAME", "[_A-Za-z][_A-Za-z0-9]*"},
    {"WS_INLINE", "[ \t]+"},
    {"WS", "[ \t\f\r\n]+"},
    {"CR", "\r"},
    {"LF", "\n"},
    {"NEWLINE", "(\r?\n)+"},
};

class LarkParser {
 public:
  LarkParser(const GrammarSource& source, Budget& budget) : source_(source), text_(source.text()), budget_(budget) {}

  std::vector<NamedRule> parse() {
    while (skip_space(), !done()) {
      if (take('%')) {
        parse_directive();
        continue;
      }
      const size_t begin = at_;
      NamedRule rule{take_rule_head(), {}};
      if (rule.name.empty()) fail_at(begin, "a rule \"name: body\" is expected");
      rule.body = parse_choice(0);
      add_rule(begin, std::move(rule));
    }
    return std::move(rules_);
  }

 private:
  using Kind = RuleNode::Kind;
  static constexpr int64_t kRepeatMax = 1'000'000'000;

  [[noreturn]] void fail_at(size_t at, const std::string& what) const { source_.fail_at(at, what); }
  bool done() const { return at_ >= text_.size(); }
  bool peek(uint32_t c, size_t ahead = 0) const { return at_ + ahead < text_.size() && text_[at_ + ahead] == c; }
  bool take(uint32_t c) { return peek(c) && (++at_, true); }

  void skip_space() {
    while (!done()) {
      if (peek('/') && peek('/', 1)) {
        while (!done() && !peek('\n')) ++at_;
      } else if (is_space(text_[at_])) {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string take_name() {
    std::string name;
    while (!done() && is_name_char(text_[at_])) name.push_back(static_cast<char>(text_[at_++]));
    return name;
  }

  /// "?name.2:"; "" (and nothing taken) when no rule begins here.
  std::string take_rule_head() {
    const size_t mark = at_;
    while (take('?') || take('!')) continue;
    std::string name = !done() && is_name_start(text_[at_]) ? take_name() : "";
    if (!name.empty() && peek('{')) fail_at(at_, "templates are not supported");
    if (take('.')) {
      take('-');
      take_name();
    }
    skip_space();
    if (name.empty() || !take(':')) {
      at_ = mark;
      return "";
    }
    return name;
  }

  bool at_rule() {
    const size_t mark = at_;
    const bool is_rule = !take_rule_head().empty();
    at_ = mark;
    return is_rule;
  }

  void add_rule(size_t at, NamedRule rule) {
    if (!names_.emplace(rule.name, at).second) fail_at(at, fmt::format("the rule \"{}\" is defined twice", rule.name));
    rules_.push_back(std::move(rule));
  }

  void parse_directive() {
    const size_t begin = at_ - 1;
    const std::string word = take_name();
    if (word != "import") fail_at(begin, fmt::format("%{} is not supported", word));
    skip_space();
    const size_t module_at = at_;
    bool is_common = take_name() == "common";
    std::vector<std::string> names;
    if (skip_space(); is_common && take('(')) {
      do {
        skip_space();
        names.push_back(take_name());
        skip_space();
      } while (take(','));
      if (!take(')')) fail_at(at_, "')' is expected");
    } else {
      is_common = is_common && take('.');
      names.push_back(take_name());
    }
    if (!is_common) fail_at(module_at, "only the module \"common\" can be imported from");
    for (const std::string& name : names) import_common(module_at, name, names.size() == 1);
  }

  void import_common(size_t at, const std::string& name, bool may_rename) {
    for (const auto& [known, pattern] : kCommon) {
      if (known != name) continue;
      NamedRule rule{name, {.kind = Kind::kPattern, .text = std::string(pattern)}};
      if (may_rename) take_alias(rule.name);
      return add_rule(at, std::move(rule));
    }
    fail_at(at, fmt::format("the module \"common\" has no \"{}\" here", name));
  }

  bool take_alias(std::string& name) {
    const size_t mark = at_;
    skip_space();
    if (!peek('-') || !peek('>', 1)) {
      at_ = mark;
      return false;
    }
    at_ += 2;
    skip_space();
    name = take_name();
    if (name.empty()) fail_at(at_, "a name is expected after \"->\"");
    return true;
  }

  RuleNode parse_choice(int32_t depth) {
    budget_.check_depth(depth);
    RuleNode choice{.kind = Kind::kChoice};
    do {
      choice.children.push_back(parse_sequence(depth));
      std::string alias;
      take_alias(alias);
      skip_space();
    } while (take('|'));
    return choice.children.size() == 1 ? std::move(choice.children[0]) : choice;
  }

  /// May be empty.
  RuleNode parse_sequence(int32_t depth) {
    RuleNode sequence;
    while (true) {
      skip_space();
      budget_.spend(1);
      if (done() || peek('|') || peek(')') || peek(']') || peek('%') || (peek('-') && peek('>', 1))) break;
      if (at_rule()) {
        if (depth > 0) fail_at(at_, "')' or ']' is expected before the next rule");
        break;
      }
      sequence.children.push_back(parse_repeats(parse_atom(depth)));
    }
    if (depth == 0 && (peek(')') || peek(']'))) fail_at(at_, "a bracket is closed that was not opened");
    return sequence;
  }

  RuleNode parse_atom(int32_t depth) {
    const size_t begin = at_;
    if (take('(')) {
      RuleNode group = parse_choice(depth + 1);
      if (!take(')')) fail_at(at_, "')' is expected");
      return group;
    }
    if (take('[')) {
      RuleNode optional{.kind = Kind::kRepeat, .max = 1};
      optional.children.push_back(parse_choice(depth + 1));
      if (!take(']')) fail_at(at_, "']' is expected");
      return optional;
    }
    if (take('"')) return parse_literal(begin);
    if (take('/')) return parse_pattern(begin);
    if (!is_name_start(text_[at_])) fail_at(at_, "an element is expected");
    RuleNode rule{.kind = Kind::kRule, .text = take_name(), .at = begin};
    if (peek('{')) fail_at(at_, "templates are not supported");
    return rule;
  }

  RuleNode parse_literal(size_t begin) {
    std::vector<uint32_t> characters = take_string(begin);
    if (peek('.') && peek('.', 1)) {
      at_ += 2;
      const size_t second = at_;
      if (!take('"')) fail_at(at_, "a range ends with a string");
      const std::vector<uint32_t> high = take_string(second);
      if (characters.size() != 1 || high.size() != 1 || characters[0] > high[0]) {
        fail_at(begin, "a range goes from one character to a later one");
      }
      return {.kind = Kind::kClass, .set = {{characters[0], high[0]}}};
    }
    if (!take('i')) {
      RuleNode literal{.kind = Kind::kLiteral};
      for (const uint32_t c : characters) append_utf8(literal.text, c);
      return literal;
    }
    RuleNode any_case;
    for (const uint32_t c : characters) {
      CharSet set = {{c, c}};
      if (c < 128 && std::isalpha(static_cast<int>(c))) set.push_back({c ^ 32, c ^ 32});
      any_case.children.push_back({.kind = Kind::kClass, .set = normalized(std::move(set))});
    }
    return any_case;
  }

  /// The characters up to the closing quote, behind the opening one.
  std::vector<uint32_t> take_string(size_t begin) {
    std::vector<uint32_t> out;
    while (!take('"')) {
      if (done() || peek('\n')) fail_at(begin, "the string has no end");
      const uint32_t c = text_[at_++];
      out.push_back(c == '\\' ? take_escape(begin) : c);
    }
    return out;
  }

  uint32_t take_escape(size_t begin) {
    if (done()) fail_at(begin, "the string has no end");
    const uint32_t c = text_[at_++];
    constexpr std::pair<char, char> kLetters[] = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'f', '\f'}, {'v', '\v'}};
    for (const auto& [letter, value] : kLetters) {
      if (c == static_cast<uint32_t>(letter)) return static_cast<uint32_t>(value);
    }
    const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) return c;
    uint32_t value = 0;
    for (int i = 0; i < digits; ++i) {
      const bool is_hex = !done() && text_[at_] < 128 && std::isxdigit(static_cast<int>(text_[at_])) != 0;
      if (!is_hex) fail_at(at_, "invalid escape sequence");
      const uint32_t digit = text_[at_++];
      value = value * 16 + (digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10);
    }
    if (value > kCharMax || (value >= 0xD800 && value <= 0xDFFF)) fail_at(begin, "invalid escape sequence");
    return value;
  }

  RuleNode parse_pattern(size_t begin) {
    RuleNode pattern{.kind = Kind::kPattern};
    bool in_class = false;
    while (in_class || !peek('/')) {
      if (done() || peek('\n')) fail_at(begin, "the regular expression has no end");
      const uint32_t c = text_[at_++];
      if (c == '\\' && !done()) {
        if (!peek('/')) pattern.text += '\\';
        append_utf8(pattern.text, text_[at_++]);
        continue;
      }
      in_class = c == '[' || (in_class && c != ']');
      append_utf8(pattern.text, c);
    }
    ++at_;
    if (!done() && is_name_start(text_[at_])) fail_at(at_, "flags of regular expressions are not supported");
    return pattern;
  }

  RuleNode parse_repeats(RuleNode element) {
    for (int32_t nested = 1;; ++nested) {
      int64_t min = 0, max = -1;
      if (take('?')) {
        max = 1;
      } else if (take('+')) {
        min = 1;
      } else if (const size_t mark = at_; skip_space(), take('~')) {
        skip_space();
        min = max = take_number();
        skip_space();
        if (peek('.') && peek('.', 1)) {
          at_ += 2;
          skip_space();
          max = take_number();
        }
        if (min > max) fail_at(mark, "a repetition's least count is larger than its largest");
      } else if (at_ = mark; !take('*')) {
        return element;
      }
      RuleNode repeat{.kind = Kind::kRepeat, .min = min, .max = max};
      repeat.children.push_back(std::move(element));
      element = std::move(repeat);
      budget_.check_depth(nested);
    }
  }

  int64_t take_number() {
    if (done() || text_[at_] < '0' || text_[at_] > '9') fail_at(at_, "an integer is expected");
    int64_t value = 0;
    while (!done() && text_[at_] >= '0' && text_[at_] <= '9') {
      value = value * 10 + (text_[at_++] - '0');
      if (value > kRepeatMax) fail_at(at_, fmt::format("a repetition count is larger than {}", kRepeatMax));
    }
    return value;
  }

  const GrammarSource& source_;
  const std::vector<uint32_t>& text_;
  Budget& budget_;
  size_t at_ = 0;
  std::map<std::string, size_t> names_;
  std::vector<NamedRule> rules_;
};

}  // namespace

bool is_lark(std::string_view source) { return source.find("::=") == std::string_view::npos; }

RuleId add_lark(GrammarBuilder& builder, std::string_view source) {
  const GrammarSource text(source);
  return write_rules(builder, text, LarkParser(text, builder.budget()).parse(), "start");
}

}  // namespace seraph::grammar
