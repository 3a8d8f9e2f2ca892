// Grammars in Lark's notation, as vLLM takes them beside EBNF: `name: body`, the text is what `start` derives. Bodies
// have "literals" (with i for any case), /regular expressions/, "a".."z", names, groups, [optional parts], | and the
// repetitions * + ? ~n ~n..m; `-> alias` and the signs ? ! before a rule's name mean nothing here; // begins a comment.
// %import takes the common terminals; %ignore and templates are refused. Errors name line and column.
#pragma once

#include <string_view>

#include "engine/grammar/grammar.h"

namespace seraph::grammar {

/// A grammar is Lark's when nothing in it defines a rule with "::=".
bool is_lark(std::string_view source);
/// Adds all rules of the grammar; gives that of `start`.
RuleId add_lark(GrammarBuilder& builder, std::string_view source);

}  // namespace seraph::grammar
