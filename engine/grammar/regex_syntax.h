// Regular expressions to automata over characters, in linear time of the automaton: no backtracking anywhere.
// Two dialects: Python's `re` (guided_regex: the whole text must match; \d \w \s are Unicode) and ECMA 262 (the
// `pattern` of JSON Schema: found anywhere in the text unless anchored; \d \w are ASCII). Refused with an Error:
// look-around, back references, word boundaries, possessive quantifiers, inline flags.
#pragma once

#include <string_view>

#include "engine/grammar/char_dfa.h"

namespace seraph::grammar {

enum class RegexDialect { kPython, kEcma };

/// The language of whole texts that match: by Python's fullmatch, or by an ECMA search.
CharDfa compile_regex_dfa(std::string_view pattern, RegexDialect dialect, Budget& budget);

/// Like an ECMA pattern, but the whole text must match. For formats and other tables of our own.
CharDfa compile_whole_match(std::string_view pattern, Budget& budget);

/// Characters of a class escape (d, D, w, W, s, S) in a dialect.
CharSet class_escape(char letter, RegexDialect dialect);
/// Characters of a Unicode general category ("L", "Lu", "Letter", ...). Throws for unknown names.
CharSet unicode_category(std::string_view name);

}  // namespace seraph::grammar
