// UTF-8 and the character classes that tokenizers ask for. Everything here is a pure function and may run on any
// thread. Functions that take a position REQUIRE valid UTF-8 (make_valid_utf8 gives it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace seraph::text {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Bytes of the character whose first byte is `lead`. REQUIRES: a lead byte of valid UTF-8.
inline size_t utf8_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xE0) return 2;
  return lead < 0xF0 ? 3 : 4;
}

/// The character at `pos`; sets `length` to its bytes.
inline char32_t decode_utf8(std::string_view text, size_t pos, size_t& length) {
  const auto byte = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[pos + i])); };
  const char32_t lead = byte(0);
  if (lead < 0x80) {
    length = 1;
    return lead;
  }
  if (lead < 0xE0) {
    length = 2;
    return ((lead & 0x1F) << 6) | (byte(1) & 0x3F);
  }
  if (lead < 0xF0) {
    length = 3;
    return ((lead & 0x0F) << 12) | ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F);
  }
  length = 4;
  return ((lead & 0x07) << 18) | ((byte(1) & 0x3F) << 12) | ((byte(2) & 0x3F) << 6) | (byte(3) & 0x3F);
}

/// Start of the character that ends right before `pos`. REQUIRES: pos > 0.
inline size_t previous_char(std::string_view text, size_t pos) {
  --pos;
  while (pos > 0 && (static_cast<unsigned char>(text[pos]) & 0xC0) == 0x80) --pos;
  return pos;
}

void append_utf8(std::string& out, char32_t c);
bool is_valid_utf8(std::string_view text);
bool is_ascii(std::string_view text);
/// `text`, or a copy in `storage` with each maximal invalid part replaced by U+FFFD.
std::string_view make_valid_utf8(std::string_view text, std::string& storage);

/// Appends `pending` + `bytes` to `out` as UTF-8, each maximal invalid part as one U+FFFD. A sequence that the next
/// bytes may still complete stays in `pending` (at most 3 bytes).
void append_lossy(std::string& pending, std::string_view bytes, std::string& out);
/// Appends what is pending: an unfinished sequence is one U+FFFD.
void finish_lossy(std::string& pending, std::string& out);

// One bit per question that a pre-tokenizer asks about a character.
enum CharClass : uint16_t {
  kLetter = 1,         // \p{L}
  kNumber = 2,         // \p{N}
  kSpace = 4,          // White_Space
  kNewline = 8,        // \r \n
  kMark = 16,          // \p{M}
  kUpperLike = 32,     // \p{Lu} \p{Lt} \p{Lm} \p{Lo} \p{M}
  kLowerLike = 64,     // \p{Ll} \p{Lm} \p{Lo} \p{M}
  kPunctuation = 128,  // \p{P}
  kSymbol = 256,       // \p{S}
  kNonspacing = 512,   // \p{Mn}
};
uint16_t char_class(char32_t c);

inline bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}
/// \w of the regex crate: letters, marks, decimal digits, letter numbers, connectors, joiners.
bool is_word_char(char32_t c);

/// The printable stand-in of each byte in byte-level vocabularies (space is U+0120).
char32_t byte_to_char(unsigned char byte);
/// The byte that `c` stands for, or -1.
int char_to_byte(char32_t c);
/// Bytes to their printable characters.
std::string bytes_to_chars(std::string_view bytes);
/// Printable characters to bytes; false, with `out` as it was, when a character stands for none.
bool append_chars_as_bytes(std::string_view chars, std::string& out);

}  // namespace seraph::text
