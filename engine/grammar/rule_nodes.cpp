#include "engine/grammar/rule_nodes.h"

#include <map>

#include "engine/grammar/byte_nfa.h"
#include "engine/grammar/regex_syntax.h"

namespace seraph::grammar {
namespace {

class RuleWriter {
 public:
  RuleWriter(GrammarBuilder& builder, const GrammarSource& source) : builder_(builder), source_(source) {}

  RuleId write(const std::vector<NamedRule>& rules, const std::string& name) {
    for (const NamedRule& rule : rules) ids_[rule.name] = builder_.declare_rule();
    const auto root = ids_.find(name);
    if (root == ids_.end()) source_.fail_at(0, fmt::format("there is no rule named \"{}\"", name));
    for (const NamedRule& rule : rules) {
      ByteNfa nfa(builder_.budget());
      const int32_t start = nfa.add_state();
      const int32_t end = add(nfa, rule.body, start);
      builder_.define_rule(ids_[rule.name], nfa, start, end);
    }
    return root->second;
  }

 private:
  int32_t add(ByteNfa& nfa, const RuleNode& node, int32_t from) {
    builder_.budget().spend(1);
    switch (node.kind) {
      case RuleNode::Kind::kLiteral:
        return nfa.add_literal(from, node.text);
      case RuleNode::Kind::kClass:
        return nfa.add_chars(from, node.set, Spelling::kRaw);
      case RuleNode::Kind::kPattern: {
        const int32_t own = nfa.add_state();
        nfa.add_epsilon(from, own);
        const CharDfa language = compile_regex_dfa(node.text, RegexDialect::kPython, builder_.budget());
        return nfa.add_language(own, language, Spelling::kRaw, -1);
      }
      case RuleNode::Kind::kRule: {
        const auto rule = ids_.find(node.text);
        if (rule == ids_.end()) source_.fail_at(node.at, fmt::format("the rule \"{}\" is not defined", node.text));
        const int32_t to = nfa.add_state();
        nfa.add_call(from, rule->second, to);
        return to;
      }
      case RuleNode::Kind::kSequence:
        for (const RuleNode& child : node.children) from = add(nfa, child, from);
        return from;
      case RuleNode::Kind::kChoice: {
        const int32_t to = nfa.add_state();
        for (const RuleNode& child : node.children) nfa.add_epsilon(add(nfa, child, from), to);
        return to;
      }
      case RuleNode::Kind::kRepeat:
        return add_repeat(nfa, node, from);
    }
    return from;
  }

  int32_t add_repeat(ByteNfa& nfa, const RuleNode& node, int32_t from) {
    const RuleNode& child = node.children[0];
    const auto step = [&](int32_t begin) {
      const int32_t own = nfa.add_state();  // loops inside the element must not reach back into what is before it
      nfa.add_epsilon(begin, own);
      return add(nfa, child, own);
    };
    for (int64_t i = 0; i < node.min; ++i) from = step(from);
    const int32_t to = nfa.add_state();
    if (node.max < 0) {
      const int32_t loop = nfa.add_state();
      nfa.add_epsilon(from, loop);
      nfa.add_epsilon(step(loop), loop);
      nfa.add_epsilon(loop, to);
      return to;
    }
    nfa.add_epsilon(from, to);
    for (int64_t i = node.min; i < node.max; ++i) {
      from = step(from);
      nfa.add_epsilon(from, to);
    }
    return to;
  }

  GrammarBuilder& builder_;
  const GrammarSource& source_;
  std::map<std::string, RuleId> ids_;
};

}  // namespace

GrammarSource::GrammarSource(std::string_view source) : text_(decode_text(source)) {}

void GrammarSource::fail_at(size_t at, const std::string& what) const {
  size_t line = 1, column = 1;
  for (size_t i = 0; i < at && i < text_.size(); ++i) {
    column = text_[i] == '\n' ? 1 : column + 1;
    line += text_[i] == '\n';
  }
  fail_invalid(fmt::format("invalid grammar at line {}, column {}: {}", line, column, what));
}

RuleId write_rules(GrammarBuilder& builder, const GrammarSource& source, const std::vector<NamedRule>& rules,
                   const std::string& root) {
  return RuleWriter(builder, source).write(rules, root);
}

}  // namespace seraph::grammar
