// What the readers of written grammars (ebnf, lark) share: a text with places for errors, bodies of rules as trees, and
// how these become rules of a GrammarBuilder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/grammar/char_dfa.h"
#include "engine/grammar/grammar.h"

namespace seraph::grammar {

struct RuleNode {
  enum class Kind { kLiteral, kClass, kPattern, kRule, kSequence, kChoice, kRepeat };
  Kind kind = Kind::kSequence;
  std::string text;  // of kLiteral: UTF-8; of kPattern: a regular expression; of kRule: its name
  CharSet set;
  std::vector<RuleNode> children;
  int64_t min = 0, max = -1;
  size_t at = 0;  // where it stands, for errors
};

struct NamedRule {
  std::string name;
  RuleNode body;
};

class GrammarSource {
 public:
  explicit GrammarSource(std::string_view source);
  const std::vector<uint32_t>& text() const { return text_; }
  /// Fails with the line and column of the place.
  [[noreturn]] void fail_at(size_t at, const std::string& what) const;

 private:
  const std::vector<uint32_t> text_;  // code points
};

/// Adds all rules and gives the one named `root`.
RuleId write_rules(GrammarBuilder& builder, const GrammarSource& source, const std::vector<NamedRule>& rules,
                   const std::string& root);

}  // namespace seraph::grammar
