#include "engine/text/unicode_text.h"

#include <simdjson.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace seraph::text {
namespace {

// Length of the well-formed sequence at `bytes`, or 0; `part` is then how many bytes form the maximal invalid part,
// and `unfinished` says that the text ends inside a sequence that is sound so far.
size_t sequence_length(std::string_view bytes, size_t& part, bool& unfinished) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = at(0);
  part = 1;
  unfinished = false;
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t length = utf8_length(lead);
  for (size_t i = 1; i < length; ++i) {
    if (i >= bytes.size()) {
      part = i;
      unfinished = true;
      return 0;
    }
    unsigned char low = 0x80, high = 0xBF;
    if (i == 1) {  // No overlong forms, no surrogates, nothing beyond U+10FFFF.
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    }
    if (at(i) < low || at(i) > high) {
      part = i;
      return 0;
    }
  }
  return length;
}

uint16_t class_of_category(utf8proc_category_t category) {
  switch (category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
      return kLetter | kUpperLike;
    case UTF8PROC_CATEGORY_LL:
      return kLetter | kLowerLike;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return kLetter | kUpperLike | kLowerLike;
    case UTF8PROC_CATEGORY_MN:
      return kMark | kUpperLike | kLowerLike | kNonspacing;
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return kMark | kUpperLike | kLowerLike;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return kNumber;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return kPunctuation;
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
      return kSymbol;
    default:
      return 0;
  }
}

// Characters of Unicode 15.1 and 16, which distributions' utf8proc does not know yet: the regular expressions that
// published tokenizers were made with do. Sorted; consulted only for what utf8proc calls unassigned.
struct LaterClass {
  uint32_t first, last;
  uint16_t cls;
};
constexpr uint16_t kOther = kLetter | kUpperLike | kLowerLike, kUpper = kLetter | kUpperLike,
                   kLower = kLetter | kLowerLike, kMc = kMark | kUpperLike | kLowerLike, kMn = kMc | kNonspacing;
constexpr LaterClass kLaterClasses[] = {
    {0x897, 0x897, kMn},
    {0x1B4E, 0x1B4F, kPunctuation},
    {0x1B7F, 0x1B7F, kPunctuation},
    {0x1C89, 0x1C89, kUpper},
    {0x1C8A, 0x1C8A, kLower},
    {0x2427, 0x2429, kSymbol},
    {0x2FFC, 0x2FFF, kSymbol},
    {0x31E4, 0x31E5, kSymbol},
    {0x31EF, 0x31EF, kSymbol},
    {0xA7CB, 0xA7CC, kUpper},
    {0xA7CD, 0xA7CD, kLower},
    {0xA7DA, 0xA7DA, kUpper},
    {0xA7DB, 0xA7DB, kLower},
    {0xA7DC, 0xA7DC, kUpper},
    {0x105C0, 0x105F3, kOther},
    {0x10D40, 0x10D49, kNumber},
    {0x10D4A, 0x10D4F, kOther},
    {0x10D50, 0x10D65, kUpper},
    {0x10D69, 0x10D6D, kMn},
    {0x10D6E, 0x10D6E, kPunctuation},
    {0x10D6F, 0x10D6F, kOther},
    {0x10D70, 0x10D85, kLower},
    {0x10D8E, 0x10D8F, kSymbol},
    {0x10EC2, 0x10EC4, kOther},
    {0x10EFC, 0x10EFC, kMn},
    {0x11380, 0x11389, kOther},
    {0x1138B, 0x1138B, kOther},
    {0x1138E, 0x1138E, kOther},
    {0x11390, 0x113B5, kOther},
    {0x113B7, 0x113B7, kOther},
    {0x113B8, 0x113BA, kMc},
    {0x113BB, 0x113C0, kMn},
    {0x113C2, 0x113C2, kMc},
    {0x113C5, 0x113C5, kMc},
    {0x113C7, 0x113CA, kMc},
    {0x113CC, 0x113CD, kMc},
    {0x113CE, 0x113CE, kMn},
    {0x113CF, 0x113CF, kMc},
    {0x113D0, 0x113D0, kMn},
    {0x113D1, 0x113D1, kOther},
    {0x113D2, 0x113D2, kMn},
    {0x113D3, 0x113D3, kOther},
    {0x113D4, 0x113D5, kPunctuation},
    {0x113D7, 0x113D8, kPunctuation},
    {0x113E1, 0x113E2, kMn},
    {0x116D0, 0x116E3, kNumber},
    {0x11BC0, 0x11BE0, kOther},
    {0x11BE1, 0x11BE1, kPunctuation},
    {0x11BF0, 0x11BF9, kNumber},
    {0x11F5A, 0x11F5A, kMn},
    {0x13460, 0x143FA, kOther},
    {0x16100, 0x1611D, kOther},
    {0x1611E, 0x16129, kMn},
    {0x1612A, 0x1612C, kMc},
    {0x1612D, 0x1612F, kMn},
    {0x16130, 0x16139, kNumber},
    {0x16D40, 0x16D6C, kOther},
    {0x16D6D, 0x16D6F, kPunctuation},
    {0x16D70, 0x16D79, kNumber},
    {0x18CFF, 0x18CFF, kOther},
    {0x1CC00, 0x1CCEF, kSymbol},
    {0x1CCF0, 0x1CCF9, kNumber},
    {0x1CD00, 0x1CEB3, kSymbol},
    {0x1E5D0, 0x1E5ED, kOther},
    {0x1E5EE, 0x1E5EF, kMn},
    {0x1E5F0, 0x1E5F0, kOther},
    {0x1E5F1, 0x1E5FA, kNumber},
    {0x1E5FF, 0x1E5FF, kPunctuation},
    {0x1F8B2, 0x1F8BB, kSymbol},
    {0x1F8C0, 0x1F8C1, kSymbol},
    {0x1FA89, 0x1FA89, kSymbol},
    {0x1FA8F, 0x1FA8F, kSymbol},
    {0x1FABE, 0x1FABE, kSymbol},
    {0x1FAC6, 0x1FAC6, kSymbol},
    {0x1FADC, 0x1FADC, kSymbol},
    {0x1FADF, 0x1FADF, kSymbol},
    {0x1FAE9, 0x1FAE9, kSymbol},
    {0x1FBCB, 0x1FBEF, kSymbol},
    {0x2EBF0, 0x2EE5D, kOther},
};

uint16_t later_class(char32_t c) {
  const auto* end = std::end(kLaterClasses);
  const auto* entry = std::lower_bound(std::begin(kLaterClasses), end, c,
                                       [](const LaterClass& range, char32_t value) { return range.last < value; });
  return entry != end && c >= entry->first ? entry->cls : 0;
}

constexpr uint16_t ascii_class(unsigned char c) {
  if (c >= 'A' && c <= 'Z') return kLetter | kUpperLike;
  if (c >= 'a' && c <= 'z') return kLetter | kLowerLike;
  if (c >= '0' && c <= '9') return kNumber;
  if (c == '\r' || c == '\n') return kSpace | kNewline;
  if (c == ' ' || (c >= 9 && c <= 13)) return kSpace;
  if (c == '$' || c == '+' || c == '<' || c == '=' || c == '>' || c == '^' || c == '`' || c == '|' || c == '~') {
    return kSymbol;
  }
  if (c > 0x20 && c < 0x7F) return kPunctuation;
  return 0;
}

constexpr std::array<uint16_t, 128> kAsciiClass = [] {
  std::array<uint16_t, 128> table{};
  for (size_t c = 0; c < table.size(); ++c) table[c] = ascii_class(static_cast<unsigned char>(c));
  return table;
}();

constexpr bool is_own_char(unsigned c) { return (c >= 0x21 && c <= 0x7E) || (c >= 0xA1 && c <= 0xFF && c != 0xAD); }

// Bytes without a printable character of their own take U+0100, U+0101, ... in increasing order.
constexpr std::array<uint16_t, 256> kByteToChar = [] {
  std::array<uint16_t, 256> table{};
  uint16_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) table[byte] = is_own_char(byte) ? static_cast<uint16_t>(byte) : next++;
  return table;
}();

constexpr std::array<int16_t, 0x144> kCharToByte = [] {
  std::array<int16_t, 0x144> table{};
  for (auto& entry : table) entry = -1;
  for (unsigned byte = 0; byte < 256; ++byte) table[kByteToChar[byte]] = static_cast<int16_t>(byte);
  return table;
}();

}  // namespace

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

bool is_valid_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

bool is_ascii(std::string_view text) {
  unsigned char seen = 0;
  for (const char c : text) seen |= static_cast<unsigned char>(c);
  return seen < 0x80;
}

std::string_view make_valid_utf8(std::string_view text, std::string& storage) {
  if (is_valid_utf8(text)) return text;
  std::string pending;
  storage.clear();
  append_lossy(pending, text, storage);
  finish_lossy(pending, storage);
  return storage;
}

void append_lossy(std::string& pending, std::string_view bytes, std::string& out) {
  std::string joined;
  if (!pending.empty()) {
    joined = std::move(pending);
    pending.clear();
    joined += bytes;
    bytes = joined;
  }
  while (!bytes.empty()) {
    size_t part = 0;
    bool unfinished = false;
    const size_t length = sequence_length(bytes, part, unfinished);
    if (unfinished) {
      pending = bytes;
      return;
    }
    if (length > 0) {
      out += bytes.substr(0, length);
      bytes.remove_prefix(length);
    } else {
      out += kReplacement;
      bytes.remove_prefix(part);
    }
  }
}

void finish_lossy(std::string& pending, std::string& out) {
  if (!pending.empty()) out += kReplacement;
  pending.clear();
}

uint16_t char_class(char32_t c) {
  if (c < 0x80) return kAsciiClass[c];
  if (is_space(c)) return kSpace;
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_CN ? later_class(c) : class_of_category(category);
}

bool is_word_char(char32_t c) {
  if (c < 0x80) return (kAsciiClass[c] & (kLetter | kNumber)) != 0 || c == '_';
  if (c == 0x200C || c == 0x200D) return true;
  if ((c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
      (c >= 0x1F170 && c <= 0x1F189)) {
    return true;  // Circled and squared letters are Alphabetic although their category is So.
  }
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

char32_t byte_to_char(unsigned char byte) { return kByteToChar[byte]; }

int char_to_byte(char32_t c) { return c < kCharToByte.size() ? kCharToByte[c] : -1; }

std::string bytes_to_chars(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char byte : bytes) append_utf8(out, byte_to_char(static_cast<unsigned char>(byte)));
  return out;
}

bool append_chars_as_bytes(std::string_view chars, std::string& out) {
  const size_t before = out.size();
  for (size_t pos = 0, length = 0; pos < chars.size(); pos += length) {
    const int byte = char_to_byte(decode_utf8(chars, pos, length));
    if (byte < 0) {
      out.resize(before);
      return false;
    }
    out += static_cast<char>(byte);
  }
  return true;
}

}  // namespace seraph::text
