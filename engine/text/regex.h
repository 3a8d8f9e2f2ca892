// Regular expressions of tokenizer.json (Oniguruma's dialect) run by PCRE2 with JIT and Unicode.
// A Regex is immutable after compile(); any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace seraph::text {

class Regex {
 public:
  /// kCorrupt with PCRE2's message and the offset in `pattern`.
  static Result<Regex> compile(std::string_view pattern);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  /// Walks the matches of one text from left to right. Borrows both.
  class Matches {
   public:
    /// REQUIRES: valid UTF-8.
    Matches(const Regex& regex, std::string_view text);
    ~Matches();
    Matches(const Matches&) = delete;
    Matches& operator=(const Matches&) = delete;
    /// The next match; it may be empty, but never where the one before ended. False at the end, and where a match
    /// would take more than the step limit (the rest of the text then counts as unmatched).
    bool next(size_t& begin, size_t& end);

   private:
    struct State;
    const std::unique_ptr<State> state_;
  };

 private:
  struct Code;
  explicit Regex(std::unique_ptr<Code> code);
  std::unique_ptr<Code> code_;
};

/// Oniguruma's \s, \h, \w and their negations in PCRE2's words; the rest unchanged.
std::string translate_pattern(std::string_view pattern);

}  // namespace seraph::text
