// Grammars in xgrammar's dialect of GBNF: `name ::= body`, the text is what `root` derives. Bodies have "literals",
// [classes], rule names, groups, | and the repetitions * + ? {n} {n,} {n,m}; # begins a comment. Errors name line and
// column.
#pragma once

#include <string_view>

#include "engine/grammar/grammar.h"

namespace seraph::grammar {

/// Adds all rules of the grammar; gives that of `root`.
RuleId add_ebnf(GrammarBuilder& builder, std::string_view source);

}  // namespace seraph::grammar
