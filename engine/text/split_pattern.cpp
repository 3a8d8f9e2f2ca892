#include "engine/text/split_pattern.h"

#include <array>
#include <utility>

#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

// The three patterns with "optional character, then letters" share these alternatives, in this order:
//   words ... | digits | " "? symbols+ [\r\n]* | \s* [\r\n]+ | \s+ (?!\S) | \s+
// and differ in what a word is, how many digits go together, and whether contractions come first.

constexpr std::string_view kQwen2Source = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
                                          R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3Source = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
                                           R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekkenSource =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// A position in the text together with the class of the character there; past the end the class is 0.
struct Cursor {
  std::string_view text;
  size_t pos = 0;
  size_t length = 0;
  char32_t c = 0;
  uint16_t cls = 0;

  Cursor(std::string_view whole, size_t at) : text(whole), pos(at) { load(); }
  bool at_end() const { return pos >= text.size(); }
  bool is(uint16_t mask) const { return (cls & mask) != 0; }
  void advance() {
    pos += length;
    load();
  }

 private:
  void load() {
    if (pos >= text.size()) {
      c = 0;
      cls = 0;
      length = 0;
      return;
    }
    c = decode_utf8(text, pos, length);
    cls = char_class(c);
  }
};

void skip_while(Cursor& cursor, uint16_t mask) {
  while (!cursor.at_end() && cursor.is(mask)) cursor.advance();
}

char32_t fold_case(char32_t c) {
  if (c >= 'A' && c <= 'Z') return c + 32;
  return c == 0x17F ? 's' : c;  // the long s folds to s; nothing else folds into the letters below
}

// 's 't 're 've 'm 'll 'd at the apostrophe `at`; its end, or `at` when there is none.
size_t contraction_end(std::string_view text, size_t at, bool any_case) {
  Cursor cursor(text, at + 1);
  if (cursor.at_end()) return at;
  const char32_t first = any_case ? fold_case(cursor.c) : cursor.c;
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return cursor.pos + cursor.length;
  cursor.advance();
  if (cursor.at_end()) return at;
  const char32_t second = any_case ? fold_case(cursor.c) : cursor.c;
  const bool two =
      (first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l');
  return two ? cursor.pos + cursor.length : at;
}

// \s+(?!\S) | \s+ : a run of spaces leaves its last one to a following word, unless it is the only one.
size_t space_run_end(const Cursor& start) {
  Cursor cursor = start;
  size_t last = start.pos;
  while (!cursor.at_end() && cursor.is(kSpace)) {
    last = cursor.pos;
    cursor.advance();
  }
  if (cursor.at_end() || last == start.pos) return cursor.pos;
  return last;
}

// \s*[\r\n]+ , else the run rule above.
size_t space_end(const Cursor& start) {
  Cursor cursor = start;
  size_t after_newline = 0;
  while (!cursor.at_end() && cursor.is(kSpace)) {
    const bool newline = cursor.is(kNewline);
    cursor.advance();
    if (newline) after_newline = cursor.pos;
  }
  return after_newline != 0 ? after_newline : space_run_end(start);
}

// " "?[^\s\p{L}\p{N}]+[\r\n]* from `start`; start.pos when the symbols are missing.
size_t symbols_end(const Cursor& start, bool take_slash) {
  Cursor cursor = start;
  if (cursor.c == ' ') cursor.advance();
  const size_t before = cursor.pos;
  while (!cursor.at_end() && !cursor.is(kSpace | kLetter | kNumber)) cursor.advance();
  if (cursor.pos == before) return start.pos;
  while (!cursor.at_end() && (cursor.is(kNewline) || (take_slash && cursor.c == '/'))) cursor.advance();
  return cursor.pos;
}

size_t gpt2_end(std::string_view text, size_t pos) {
  Cursor cursor(text, pos);
  if (cursor.c == '\'') {
    const size_t end = contraction_end(text, pos, false);
    if (end != pos) return end;
  }
  Cursor word = cursor;
  if (word.c == ' ') word.advance();
  if (!word.at_end() && !word.is(kSpace)) {
    const uint16_t mask = word.cls & (kLetter | kNumber);
    if (mask != 0) {
      skip_while(word, mask);
    } else {
      while (!word.at_end() && !word.is(kSpace | kLetter | kNumber)) word.advance();
    }
    return word.pos;
  }
  return space_run_end(cursor);
}

size_t words_end(std::string_view text, size_t pos, int digits_max) {
  Cursor cursor(text, pos);
  if (cursor.is(kLetter)) {
    skip_while(cursor, kLetter);
    return cursor.pos;
  }
  if (cursor.is(kNumber)) {
    for (int i = 0; i < digits_max && !cursor.at_end() && cursor.is(kNumber); ++i) cursor.advance();
    return cursor.pos;
  }
  if (cursor.c == '\'') {
    const size_t end = contraction_end(text, pos, true);
    if (end != pos) return end;
  }
  if (!cursor.is(kNewline)) {
    Cursor word = cursor;
    word.advance();
    if (!word.at_end() && word.is(kLetter)) {
      skip_while(word, kLetter);
      return word.pos;
    }
  }
  const size_t end = symbols_end(cursor, false);
  return end != pos ? end : space_end(cursor);
}

// [Upper]*[Lower]+ from `start`, or 0. Letters without case and marks are both: the Upper run takes the longest
// stretch that leaves a Lower character, giving back what it must.
size_t tekken_lower_word_end(const Cursor& start) {
  Cursor cursor = start;
  size_t last_lower = 0;  // end of the last character of the Upper run that can also be the Lower run
  while (!cursor.at_end() && cursor.is(kUpperLike)) {
    const bool lower_too = cursor.is(kLowerLike);
    cursor.advance();
    if (lower_too) last_lower = cursor.pos;
  }
  if (!cursor.is(kLowerLike)) return last_lower;
  skip_while(cursor, kLowerLike);
  return cursor.pos;
}

// [Upper]+[Lower]* where the expression above has failed: no Lower character follows the run. Or 0.
size_t tekken_upper_word_end(const Cursor& start) {
  Cursor cursor = start;
  skip_while(cursor, kUpperLike);
  return cursor.pos != start.pos ? cursor.pos : 0;
}

size_t tekken_end(std::string_view text, size_t pos) {
  const Cursor cursor(text, pos);
  Cursor after = cursor;
  after.advance();
  const bool takes_one = !cursor.is(kLetter | kNumber | kNewline);  // the optional character in front of a word
  size_t end = takes_one ? tekken_lower_word_end(after) : 0;
  if (end == 0) end = tekken_lower_word_end(cursor);
  if (end == 0 && takes_one) end = tekken_upper_word_end(after);
  if (end == 0) end = tekken_upper_word_end(cursor);
  if (end != 0) return end;
  if (cursor.is(kNumber)) return after.pos;
  const size_t symbols = symbols_end(cursor, true);
  return symbols != pos ? symbols : space_end(cursor);
}

}  // namespace

const std::string_view kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::string_view split_pattern_source(SplitPattern pattern) {
  switch (pattern) {
    case SplitPattern::kQwen2:
      return kQwen2Source;
    case SplitPattern::kLlama3:
      return kLlama3Source;
    case SplitPattern::kTekken:
      return kTekkenSource;
    default:
      return kGpt2Pattern;
  }
}

SplitPattern find_split_pattern(std::string_view pattern) {
  for (const auto known : {SplitPattern::kGpt2, SplitPattern::kQwen2, SplitPattern::kLlama3, SplitPattern::kTekken}) {
    if (pattern == split_pattern_source(known)) return known;
  }
  return SplitPattern::kNone;
}

size_t split_piece_end(SplitPattern pattern, std::string_view text, size_t pos) {
  switch (pattern) {
    case SplitPattern::kQwen2:
      return words_end(text, pos, 1);
    case SplitPattern::kLlama3:
      return words_end(text, pos, 3);
    case SplitPattern::kTekken:
      return tekken_end(text, pos);
    default:
      return gpt2_end(text, pos);
  }
}

}  // namespace seraph::text
