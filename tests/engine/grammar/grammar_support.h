// Short ways to ask grammars in tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "engine/grammar/compiler.h"
#include "engine/grammar/matcher.h"

namespace seraph::test {

inline bool accepts(const GrammarPtr& grammar, std::string_view text) {
  Matcher matcher(grammar);
  return matcher.accept_bytes(text) && matcher.can_end();
}

/// The limits of the program but for the clock: sanitized builds and busy machines are slow.
inline CompileLimits unhurried() { return {.time_ms_max = 60'000}; }

/// The grammar, or a failed test and one that matches nothing.
inline GrammarPtr compiled(Result<GrammarPtr> result) {
  if (result.ok()) return *result;
  ADD_FAILURE() << result.error().text();
  return *compile_json_schema(Json(false));
}

inline GrammarPtr schema(std::string_view text) { return compiled(compile_json_schema_text(text, {}, unhurried())); }
inline GrammarPtr regex(std::string_view pattern) { return compiled(compile_regex(pattern, unhurried())); }
inline GrammarPtr ebnf(std::string_view source) { return compiled(compile_ebnf(source, unhurried())); }

/// The error's text; "" when the schema compiles.
inline std::string schema_error(std::string_view text) {
  const auto result = compile_json_schema_text(text, {}, unhurried());
  return result.ok() ? "" : result.error().text();
}

inline void expect_texts(const GrammarPtr& grammar, const std::vector<std::string>& good,
                         const std::vector<std::string>& bad) {
  for (const std::string& text : good) EXPECT_TRUE(accepts(grammar, text)) << text;
  for (const std::string& text : bad) EXPECT_FALSE(accepts(grammar, text)) << text;
}

}  // namespace seraph::test
