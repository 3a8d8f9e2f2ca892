#include "engine/grammar/ebnf.h"

#include <map>
#include <string>

#include "engine/grammar/rule_nodes.h"

namespace seraph::grammar {
namespace {

bool is_name_start(uint32_t c) { return c == '_' || (c < 128 && std::isalpha(static_cast<int>(c))); }
bool is_name_char(uint32_t c) { return is_name_start(c) || c == '-' || c == '.' || (c >= '0' && c <= '9'); }

class EbnfParser {
 public:
  EbnfParser(const GrammarSource& source, Budget& budget) : source_(source), text_(source.text()), budget_(budget) {}

  std::vector<NamedRule> parse() {
    std::vector<NamedRule> rules;
    while (skip_space(true), at_ < text_.size()) {
      if (!is_name_start(text_[at_])) fail_at(at_, "a rule name is expected");
      const size_t begin = at_;
      NamedRule rule{take_name(), {}};
      skip_space(false);
      if (!take_define()) fail_at(at_, fmt::format("\"::=\" is expected after the rule name \"{}\"", rule.name));
      if (names_.contains(rule.name)) fail_at(begin, fmt::format("the rule \"{}\" is defined twice", rule.name));
      names_[rule.name] = begin;
      rule.body = parse_choice(0);
      rules.push_back(std::move(rule));
    }
    return rules;
  }

 private:
  using Kind = RuleNode::Kind;
  static constexpr int64_t kRepeatMax = 1'000'000'000;

  [[noreturn]] void fail_at(size_t at, const std::string& what) const { source_.fail_at(at, what); }
  bool done() const { return at_ >= text_.size(); }
  bool peek(uint32_t c) const { return !done() && text_[at_] == c; }
  bool take(uint32_t c) { return peek(c) && (++at_, true); }
  bool take_define() {
    if (at_ + 2 >= text_.size() || text_[at_] != ':' || text_[at_ + 1] != ':' || text_[at_ + 2] != '=') return false;
    at_ += 3;
    return true;
  }

  void skip_space(bool newlines) {
    while (!done()) {
      const uint32_t c = text_[at_];
      if (c == '#') {
        while (!done() && text_[at_] != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || (newlines && (c == '\n' || c == '\r'))) {
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

  /// A name and "::=" begin the next rule.
  bool at_rule() {
    const size_t mark = at_;
    take_name();
    skip_space(false);
    const bool is_rule = take_define();
    at_ = mark;
    return is_rule;
  }

  RuleNode parse_choice(int32_t depth) {
    budget_.check_depth(depth);
    RuleNode choice{Kind::kChoice, "", {}, {}};
    choice.children.push_back(parse_sequence(depth));
    while (skip_space(true), take('|')) choice.children.push_back(parse_sequence(depth));
    return choice.children.size() == 1 ? std::move(choice.children[0]) : choice;
  }

  RuleNode parse_sequence(int32_t depth) {
    RuleNode sequence{Kind::kSequence, "", {}, {}};
    while (true) {
      skip_space(true);
      budget_.spend(1);
      if (done() || peek('|') || peek(')')) break;
      const bool names_next_rule = is_name_start(text_[at_]) && at_rule();
      if (names_next_rule && !sequence.children.empty() && depth == 0) break;
      if (names_next_rule) fail_at(at_, "an element is expected before the next rule");
      sequence.children.push_back(parse_repeats(parse_element(depth)));
    }
    if (sequence.children.empty()) fail_at(at_, "an element is expected");
    if (depth == 0 && peek(')')) fail_at(at_, "unbalanced ')'");
    return sequence;
  }

  RuleNode parse_element(int32_t depth) {
    const size_t begin = at_;
    if (take('"')) return parse_literal(begin);
    if (take('[')) return parse_class(begin);
    if (take('(')) {
      skip_space(true);
      if (peek('=') || peek('!')) fail_at(at_, "look-ahead cannot be enforced");
      RuleNode group = parse_choice(depth + 1);
      if (!take(')')) fail_at(at_, "')' is expected");
      return group;
    }
    if (!is_name_start(text_[at_])) {
      std::string shown;
      append_utf8(shown, text_[at_]);
      fail_at(at_, fmt::format("an element is expected, not {}", shown));
    }
    RuleNode rule{Kind::kRule, take_name(), {}, {}};
    rule.at = begin;
    return rule;
  }

  RuleNode parse_repeats(RuleNode element) {
    while (true) {
      int64_t min = 0, max = -1;
      if (take('?')) {
        max = 1;
      } else if (take('+')) {
        min = 1;
      } else if (take('{')) {
        skip_space(true);
        min = take_number();
        max = min;
        skip_space(true);
        if (take(',')) {
          skip_space(true);
          max = peek('}') ? -1 : take_number();
          skip_space(true);
        }
        if (!take('}')) fail_at(at_, "'}' is expected");
        if (max >= 0 && min > max) fail_at(at_, "a repetition's least count is larger than its largest");
      } else if (!take('*')) {
        return element;
      }
      RuleNode repeat{Kind::kRepeat, "", {}, {}, min, max};
      repeat.children.push_back(std::move(element));
      element = std::move(repeat);
      budget_.check_depth(++repeats_in_row_);
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

  RuleNode parse_literal(size_t begin) {
    RuleNode literal{Kind::kLiteral, "", {}, {}};
    while (!take('"')) {
      if (done() || peek('\n')) fail_at(begin, "the string literal has no end");
      append_utf8(literal.text, peek('\\') ? take_escape(false) : text_[at_++]);
    }
    repeats_in_row_ = 0;
    return literal;
  }

  RuleNode parse_class(size_t begin) {
    const bool negated = take('^');
    CharSet set;
    while (!take(']')) {
      if (done() || peek('\n')) fail_at(begin, "the character class has no end");
      const size_t item = at_;
      const uint32_t low = take_class_char();
      uint32_t high = low;
      if (peek('-') && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        if (done() || peek('\n')) fail_at(begin, "the character class has no end");
        high = take_class_char();
      }
      if (low > high) fail_at(item, "the lower bound of a range is larger than its upper bound");
      set.push_back({low, high});
    }
    set = normalized(std::move(set));
    repeats_in_row_ = 0;
    return RuleNode{Kind::kClass, "", negated ? complement(set) : set, {}};
  }

  uint32_t take_class_char() { return peek('\\') ? take_escape(true) : text_[at_++]; }

  uint32_t take_escape(bool in_class) {
    const size_t begin = at_++;
    if (done()) fail_at(begin, "invalid escape sequence");
    const uint32_t c = text_[at_++];
    constexpr std::pair<char, char> kLetters[] = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'b', '\b'},  {'f', '\f'},
                                                  {'v', '\v'}, {'a', '\a'}, {'0', '\0'}, {'e', '\x1B'}};
    for (const auto& [letter, value] : kLetters) {
      if (c == static_cast<uint32_t>(letter)) return static_cast<uint32_t>(value);
    }
    if (c == 'x') return take_hex(begin, 1, 2);
    if (c == 'u') return take_hex(begin, 4, 4);
    if (c == 'U') return take_hex(begin, 8, 8);
    const bool is_plain = c == '"' || c == '\\' || c == '\'' || c == '?' || c == '/';
    const bool is_class_sign = c < 128 && std::ispunct(static_cast<int>(c)) != 0;
    if (!is_plain && !(in_class && is_class_sign)) fail_at(begin, "invalid escape sequence");
    return c;
  }

  uint32_t take_hex(size_t begin, int min_digits, int max_digits) {
    uint32_t value = 0;
    int digits = 0;
    for (; digits < max_digits && !done() && text_[at_] < 128 && std::isxdigit(static_cast<int>(text_[at_]));
         ++digits) {
      const uint32_t c = text_[at_++];
      value = value * 16 + (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    const bool is_character = value <= kCharMax && (value < 0xD800 || value > 0xDFFF);
    if (digits < min_digits || !is_character) fail_at(begin, "invalid escape sequence");
    return value;
  }

  const GrammarSource& source_;
  const std::vector<uint32_t>& text_;
  Budget& budget_;
  size_t at_ = 0;
  int32_t repeats_in_row_ = 0;
  std::map<std::string, size_t> names_;
};

}  // namespace

RuleId add_ebnf(GrammarBuilder& builder, std::string_view source) {
  const GrammarSource text(source);
  return write_rules(builder, text, EbnfParser(text, builder.budget()).parse(), "root");
}

}  // namespace seraph::grammar
