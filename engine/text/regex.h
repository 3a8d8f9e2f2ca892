// Regular expressions of tokenizer.json (Oniguruma's dialect) run by PCRE2 with JIT and Unicode.
// A Regex is immutable after compile(); any thread.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace seraph::text {

/// A match would take more steps or memory than one text may cost.
class PatternLimit : public std::runtime_error {
 public:
  PatternLimit() : std::runtime_error("a pattern of the tokenizer takes too many steps on this text") {}
};

class Regex {
 public:
  /// kUnsupported (oniguruma.h), or kCorrupt with PCRE2's message and its offset.
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
    /// The next match; it may be empty, but never where the one before ended. False at the end. Throws
    /// PatternLimit: the rest must not pass for text without matches.
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
}  // namespace seraph::text
