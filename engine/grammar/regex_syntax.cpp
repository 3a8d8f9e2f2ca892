#include "engine/grammar/regex_syntax.h"

#include <algorithm>
#include <optional>

namespace seraph::grammar {
namespace {

struct RegexNode {
  enum class Kind { kSet, kSequence, kChoice, kRepeat, kBegin, kEnd };
  Kind kind = Kind::kSequence;
  CharSet set;
  std::vector<RegexNode> children;
  int64_t min = 0, max = 0;  // of kRepeat; max -1: no limit
};

constexpr int64_t kRepeatMax = 1'000'000'000;

class RegexParser {
 public:
  RegexParser(std::string_view pattern, RegexDialect dialect, Budget& budget)
      : text_(decode_text(pattern)), python_(dialect == RegexDialect::kPython), dialect_(dialect), budget_(budget) {}

  RegexNode parse() {
    RegexNode node = parse_choice(0);
    if (at_ < text_.size()) fail("unbalanced ')'");
    return node;
  }

 private:
  using Kind = RegexNode::Kind;

  [[noreturn]] void fail(const std::string& what) const {
    fail_invalid(fmt::format("invalid regular expression at character {}: {}", at_, what));
  }
  [[noreturn]] void refuse(const std::string& what) const {
    fail_unsupported(
        fmt::format("the regular expression uses {} at character {}, which cannot be enforced", what, at_));
  }
  bool done() const { return at_ >= text_.size(); }
  bool peek(uint32_t c, size_t ahead = 0) const { return at_ + ahead < text_.size() && text_[at_ + ahead] == c; }
  bool take(uint32_t c) {
    if (!peek(c)) return false;
    ++at_;
    return true;
  }

  RegexNode parse_choice(int32_t depth) {
    budget_.check_depth(depth);
    RegexNode choice{Kind::kChoice, {}, {}};
    choice.children.push_back(parse_sequence(depth));
    while (take('|')) choice.children.push_back(parse_sequence(depth));
    return choice.children.size() == 1 ? std::move(choice.children[0]) : choice;
  }

  RegexNode parse_sequence(int32_t depth) {
    RegexNode sequence{Kind::kSequence, {}, {}};
    while (!done() && !peek('|') && !peek(')')) {
      budget_.spend(1);
      RegexNode atom = parse_atom(depth);
      sequence.children.push_back(parse_quantifiers(std::move(atom)));
    }
    return sequence;
  }

  RegexNode parse_quantifiers(RegexNode atom) {
    int64_t min = 0, max = -1;
    if (!take_quantifier(min, max)) return atom;
    if (atom.kind == Kind::kBegin || atom.kind == Kind::kEnd) fail("nothing to repeat");
    if (take('+')) refuse("a possessive quantifier");
    take('?');  // lazy: the same language
    const size_t mark = at_;
    int64_t more_min = 0, more_max = 0;
    if (take_quantifier(more_min, more_max)) {
      at_ = mark;
      fail("multiple repeat");
    }
    RegexNode repeat{Kind::kRepeat, {}, {}, min, max};
    repeat.children.push_back(std::move(atom));
    return repeat;
  }

  bool take_quantifier(int64_t& min, int64_t& max) {
    if (take('*')) return min = 0, max = -1, true;
    if (take('+')) return min = 1, max = -1, true;
    if (take('?')) return min = 0, max = 1, true;
    if (!peek('{')) return false;
    const size_t mark = at_++;
    const std::optional<int64_t> low = take_number();
    bool bounded = true;
    std::optional<int64_t> high = low;
    if (take(',')) {
      high = take_number();
      bounded = high.has_value();
    }
    const bool starts_well = low.has_value() || (python_ && bounded);
    if (!starts_well || !take('}')) {
      at_ = mark;
      return false;  // a literal brace
    }
    min = low.value_or(0);
    max = bounded ? *high : -1;
    if (max >= 0 && min > max) fail("min repeat greater than max repeat");
    return true;
  }

  std::optional<int64_t> take_number() {
    if (done() || text_[at_] < '0' || text_[at_] > '9') return std::nullopt;
    int64_t value = 0;
    while (!done() && text_[at_] >= '0' && text_[at_] <= '9') {
      value = value * 10 + (text_[at_++] - '0');
      if (value > kRepeatMax) fail(fmt::format("a repeat count is larger than {}", kRepeatMax));
    }
    return value;
  }

  RegexNode parse_atom(int32_t depth) {
    const uint32_t c = text_[at_++];
    switch (c) {
      case '(':
        return parse_group(depth);
      case '[':
        return RegexNode{Kind::kSet, parse_class(), {}};
      case '.':
        return RegexNode{
            Kind::kSet,
            complement(python_ ? CharSet{{'\n', '\n'}} : CharSet{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}),
            {}};
      case '^':
        return RegexNode{Kind::kBegin, {}, {}};
      case '$':
        return RegexNode{Kind::kEnd, {}, {}};
      case '\\':
        return parse_escape();
      case '*':
      case '+':
      case '?':
        --at_;
        fail("nothing to repeat");
      case '{':
        --at_;
        {
          int64_t min = 0, max = 0;
          if (take_quantifier(min, max)) fail("nothing to repeat");
          ++at_;
        }
        [[fallthrough]];
      default:
        return RegexNode{Kind::kSet, {{c, c}}, {}};
    }
  }

  RegexNode parse_group(int32_t depth) {
    if (take('?')) {
      if (take(':')) {
      } else if (peek('=') || peek('!') || (peek('<') && (peek('=', 1) || peek('!', 1)))) {
        refuse("look-around");
      } else if (python_ && take('P')) {
        if (peek('=')) refuse("a back reference");
        if (!take('<')) fail("unknown extension ?P");
        take_group_name();
      } else if (!python_ && take('<')) {
        take_group_name();
      } else if (peek('(')) {
        refuse("a conditional group");
      } else if (peek('>')) {
        refuse("an atomic group");
      } else if (done()) {
        fail("unexpected end of pattern");
      } else {
        refuse("an inline flag or extension");
      }
    }
    RegexNode node = parse_choice(depth + 1);
    if (!take(')')) fail("missing ')'");
    return node;
  }

  void take_group_name() {
    const size_t begin = at_;
    while (!done() && !peek('>')) ++at_;
    if (at_ == begin || !take('>')) fail("bad group name");
  }

  RegexNode parse_escape() {
    if (done()) fail("pattern ends with a backslash");
    const uint32_t c = text_[at_];
    if (c >= '1' && c <= '9') refuse("a back reference");
    if (c == 'b' || c == 'B') refuse("a word boundary");
    if (python_ && (c == 'A' || c == 'Z')) {
      ++at_;
      return RegexNode{c == 'A' ? Kind::kBegin : Kind::kEnd, {}, {}};
    }
    if (!python_ && c == 'k') refuse("a back reference");
    return RegexNode{Kind::kSet, parse_escaped_set(false), {}};
  }

  /// After the backslash: the set that the escape stands for.
  CharSet parse_escaped_set(bool in_class) {
    if (done()) fail("pattern ends with a backslash");
    const uint32_t c = text_[at_++];
    const auto single = [](uint32_t value) { return CharSet{{value, value}}; };
    switch (c) {
      case 'd':
      case 'D':
      case 'w':
      case 'W':
      case 's':
      case 'S':
        return class_escape(static_cast<char>(c), dialect_);
      case 't':
        return single('\t');
      case 'n':
        return single('\n');
      case 'r':
        return single('\r');
      case 'f':
        return single('\f');
      case 'v':
        return single('\v');
      case 'a':
        if (python_) return single('\a');
        break;
      case 'b':
        if (in_class) return single('\b');
        break;
      case '0':
        if (!done() && text_[at_] >= '0' && text_[at_] <= '9') refuse("an octal escape");
        return single(0);
      case 'x':
        return single(take_hex(2));
      case 'u':
        return single(take_unicode());
      case 'U':
        if (python_) return single(take_hex(8));
        break;
      case 'c':
        if (!python_ && !done() && ((text_[at_] | 32) >= 'a' && (text_[at_] | 32) <= 'z'))
          return single(text_[at_++] & 31);
        break;
      case 'p':
      case 'P':
        if (!python_) return parse_property(c == 'P');
        break;
      default:
        break;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '1' && c <= '9');
    if (letter) {
      --at_;
      fail(fmt::format("unknown escape \\{}", static_cast<char>(c)));
    }
    return single(c);
  }

  CharSet parse_property(bool negated) {
    if (!take('{')) fail("\\p needs a name in braces");
    std::string name;
    while (!done() && !peek('}')) append_utf8(name, text_[at_++]);
    if (!take('}')) fail("\\p needs a name in braces");
    const CharSet set = unicode_category(name);
    return negated ? complement(set) : set;
  }

  uint32_t take_hex(int digits) {
    uint32_t value = 0;
    for (int i = 0; i < digits; ++i) {
      const uint32_t c = done() ? 0 : text_[at_];
      const bool digit = c >= '0' && c <= '9', letter = (c | 32) >= 'a' && (c | 32) <= 'f' && c < 128;
      if (!digit && !letter) fail("incomplete hexadecimal escape");
      value = value * 16 + (digit ? c - '0' : (c | 32) - 'a' + 10);
      ++at_;
    }
    if (value > kCharMax) fail("the escape is beyond Unicode");
    return value;
  }

  uint32_t take_unicode() {
    if (!python_ && peek('{')) {
      ++at_;
      uint32_t value = 0;
      while (!done() && !peek('}')) {
        value = value * 16 + take_hex(1);
        if (value > kCharMax) fail("the escape is beyond Unicode");
      }
      if (!take('}')) fail("incomplete \\u{...} escape");
      return value;
    }
    const uint32_t high = take_hex(4);
    if (!python_ && high >= 0xD800 && high < 0xDC00 && peek('\\') && peek('u', 1)) {
      at_ += 2;
      const uint32_t low = take_hex(4);
      if (low < 0xDC00 || low > 0xDFFF) fail("a lone surrogate");
      return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }
    return high;
  }

  CharSet parse_class() {
    const bool negated = take('^');
    CharSet set;
    bool first = true;
    while (true) {
      if (done()) fail("unterminated character class");
      if (peek(']') && !(first && python_)) break;
      first = false;
      budget_.spend(1);
      const CharSet low = parse_class_item();
      if (!peek('-') || peek(']', 1) || at_ + 1 >= text_.size()) {
        set.insert(set.end(), low.begin(), low.end());
        continue;
      }
      ++at_;
      const CharSet high = parse_class_item();
      const auto is_single = [](const CharSet& item) { return item.size() == 1 && item[0].lo == item[0].hi; };
      if (!is_single(low) || !is_single(high) || low[0].lo > high[0].lo) fail("bad character range");
      set.push_back({low[0].lo, high[0].lo});
    }
    ++at_;
    set = normalized(std::move(set));
    return negated ? complement(set) : set;
  }

  CharSet parse_class_item() {
    if (done()) fail("unterminated character class");
    if (take('\\')) return parse_escaped_set(true);
    const uint32_t c = text_[at_++];
    return {{c, c}};
  }

  const std::vector<uint32_t> text_;
  const bool python_;
  const RegexDialect dialect_;
  Budget& budget_;
  size_t at_ = 0;
};

/// Thompson's construction: the state that is reached after `node`, starting in `from`.
class NfaBuilder {
 public:
  NfaBuilder(CharNfa& nfa, Budget& budget) : nfa_(nfa), budget_(budget) {}

  int32_t add(const RegexNode& node, int32_t from) {
    budget_.spend(1);
    budget_.check_states(nfa_.states().size());
    switch (node.kind) {
      case RegexNode::Kind::kSet: {
        const int32_t to = nfa_.add_state();
        budget_.spend(static_cast<int64_t>(node.set.size()));
        nfa_.add_edge(from, node.set, to);
        return to;
      }
      case RegexNode::Kind::kSequence:
        for (const RegexNode& child : node.children) from = add(child, from);
        return from;
      case RegexNode::Kind::kChoice: {
        const int32_t to = nfa_.add_state();
        for (const RegexNode& child : node.children) {
          const int32_t begin = nfa_.add_state();
          nfa_.add_epsilon(from, begin);
          nfa_.add_epsilon(add(child, begin), to);
        }
        return to;
      }
      case RegexNode::Kind::kRepeat:
        return add_repeat(node, from);
      case RegexNode::Kind::kBegin:
      case RegexNode::Kind::kEnd: {
        const int32_t to = nfa_.add_state();
        if (node.kind == RegexNode::Kind::kBegin) {
          nfa_.add_begin(from, to);
        } else {
          nfa_.add_end(from, to);
        }
        return to;
      }
    }
    return from;
  }

 private:
  int32_t add_repeat(const RegexNode& node, int32_t from) {
    const RegexNode& child = node.children[0];
    for (int64_t i = 0; i < node.min; ++i) from = add(child, from);
    const int32_t to = nfa_.add_state();
    if (node.max < 0) {
      const int32_t loop = nfa_.add_state();
      nfa_.add_epsilon(from, loop);
      nfa_.add_epsilon(add(child, loop), loop);
      nfa_.add_epsilon(loop, to);
      return to;
    }
    nfa_.add_epsilon(from, to);
    for (int64_t i = node.min; i < node.max; ++i) {
      const int32_t begin = nfa_.add_state();
      nfa_.add_epsilon(from, begin);
      from = add(child, begin);
      nfa_.add_epsilon(from, to);
    }
    return to;
  }

  CharNfa& nfa_;
  Budget& budget_;
};

CharDfa compile(std::string_view pattern, RegexDialect dialect, bool whole, Budget& budget) {
  const RegexNode root = RegexParser(pattern, dialect, budget).parse();
  CharNfa nfa;
  const int32_t start = nfa.add_state();
  int32_t from = start;
  const CharSet anything = {{0, kCharMax}};
  if (!whole) {
    nfa.add_edge(start, anything, start);
    from = nfa.add_state();
    nfa.add_epsilon(start, from);
  }
  const int32_t end = NfaBuilder(nfa, budget).add(root, from);
  if (!whole) nfa.add_edge(end, anything, end);
  return determinize(nfa, start, end, budget);
}

}  // namespace

CharDfa compile_regex_dfa(std::string_view pattern, RegexDialect dialect, Budget& budget) {
  return compile(pattern, dialect, dialect == RegexDialect::kPython, budget);
}

CharDfa compile_whole_match(std::string_view pattern, Budget& budget) {
  return compile(pattern, RegexDialect::kEcma, true, budget);
}

}  // namespace seraph::grammar
