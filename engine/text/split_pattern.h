// The pre-tokenizer patterns of the well-known families, matched by hand: three to ten times faster than a regular
// expression engine, and equal to it on every text (split_pattern_test.cpp compares). Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace seraph::text {

/// Which hand-written matcher a pattern has.
enum class SplitPattern {
  kNone,    // only the regular expression engine knows it
  kGpt2,    // GPT-2, ByteLevel's own
  kQwen2,   // Qwen2 to Qwen3: letters, single digits
  kLlama3,  // as kQwen2, with up to three digits
  kTekken,  // Mistral-Nemo: words end where lower case meets upper case
};

/// GPT-2's expression, which a ByteLevel pre-tokenizer with use_regex stands for.
extern const std::string_view kGpt2Pattern;

SplitPattern find_split_pattern(std::string_view pattern);
/// The expression that `pattern` stands for. REQUIRES: not kNone.
std::string_view split_pattern_source(SplitPattern pattern);

/// End of the piece that begins at `pos`. These patterns match every character, so pieces follow each other without
/// gaps. REQUIRES: pattern is not kNone, valid UTF-8, pos < text.size().
size_t split_piece_end(SplitPattern pattern, std::string_view text, size_t pos);

}  // namespace seraph::text
