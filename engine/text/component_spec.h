// What the parsers of tokenizer.json's components share: members with a type check and an error that names the key,
// and patterns, which are a literal string or a regular expression.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/text/regex.h"
#include "engine/text/split_pattern.h"

namespace seraph::text {

inline constexpr int kComponentDepthMax = 16;  // of nested Sequences

/// The member "type". kCorrupt when it is missing or the nesting is too deep.
Result<std::string> get_type(const Json& spec, const std::string& key, int depth);
Result<std::string> get_string(const Json& spec, std::string_view name, const std::string& key);
Result<const Json::Array*> get_array(const Json& spec, std::string_view name, const std::string& key);
bool get_bool(const Json& spec, std::string_view name, bool fallback);
int64_t get_int(const Json& spec, std::string_view name, int64_t fallback);
Error unknown_type(const std::string& type, const std::string& key);

/// {"String": ...} or {"Regex": ...}. Well-known expressions are matched by hand.
class TextPattern {
 public:
  static TextPattern literal(std::string text);
  static Result<TextPattern> regex(const std::string& expression);
  static TextPattern known(SplitPattern pattern);
  std::string replace_all(std::string_view text, std::string_view content) const;
  /// Calls visit(begin, end, is_match) for the matches and the gaps between, left to right; parts may be empty.
  template <typename Visit>
  void for_each_part(std::string_view text, Visit visit) const;
  /// The literal, "" for an expression.
  const std::string& literal_text() const { return literal_; }

 private:
  std::string literal_;
  std::optional<Regex> regex_;
  SplitPattern known_ = SplitPattern::kNone;
};

/// The member "pattern" of a Split or Replace.
Result<TextPattern> parse_pattern(const Json& spec, const std::string& key);

template <typename Visit>
void TextPattern::for_each_part(std::string_view text, Visit visit) const {
  size_t done = 0;
  if (known_ != SplitPattern::kNone) {
    while (done < text.size()) {
      const size_t end = split_piece_end(known_, text, done);
      visit(done, end, true);
      done = end;
    }
    return;
  }
  const auto match = [&](size_t begin, size_t end) {
    if (begin > done) visit(done, begin, false);
    visit(begin, end, true);
    done = end;
  };
  if (regex_) {
    Regex::Matches matches(*regex_, text);
    for (size_t begin = 0, end = 0; matches.next(begin, end);) match(begin, end);
  } else if (!literal_.empty()) {
    for (size_t at = text.find(literal_); at != std::string_view::npos; at = text.find(literal_, done)) {
      match(at, at + literal_.size());
    }
  }
  if (done < text.size()) visit(done, text.size(), false);
}

}  // namespace seraph::text
