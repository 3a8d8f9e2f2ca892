// Oniguruma's regular expressions (Ruby's syntax, as tokenizers uses them) in the words of PCRE2. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace seraph::text {

/// A pattern for PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE that matches what `pattern` does in Oniguruma. The two read
/// many signs differently (nested classes and &&, \s \w \h \v \b, {n}? and {n,m}+, (?m), script names), so that
/// whatever is not known to mean the same is refused. Errors: kUnsupported, with the place.
Result<std::string> translate_oniguruma(std::string_view pattern);

}  // namespace seraph::text
