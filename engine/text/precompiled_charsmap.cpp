#include "engine/text/precompiled_charsmap.h"

#include <utf8proc.h>

#include <cstring>

#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

constexpr size_t kGraphemeBytesMax = 6;  // longer graphemes are replaced character by character, as the library does

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

// A unit of the double array: bit 31 marks a value, bit 8 says that a value hangs below, bits 0-7 (and 31) are the
// label, and bits 10-30 the offset, shifted by 8 more when bit 9 is set.
bool has_value(uint32_t unit) { return ((unit >> 8) & 1) != 0; }
uint32_t value_of(uint32_t unit) { return unit & 0x7FFFFFFF; }
uint32_t label_of(uint32_t unit) { return unit & 0x800000FF; }
uint32_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); }

}  // namespace

Result<PrecompiledCharsmap> PrecompiledCharsmap::parse_base64(std::string_view text) {
  std::string bytes;
  uint32_t bits = 0;
  int num_bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    const int value = base64_value(c);
    if (value < 0) return Error{ErrorCode::kCorrupt, "precompiled_charsmap is not base64"};
    bits = (bits << 6) | static_cast<uint32_t>(value);
    num_bits += 6;
    if (num_bits >= 8) {
      num_bits -= 8;
      bytes += static_cast<char>((bits >> num_bits) & 0xFF);
    }
  }
  return parse(bytes);
}

Result<PrecompiledCharsmap> PrecompiledCharsmap::parse(std::string_view bytes) {
  uint32_t trie_bytes = 0;
  if (bytes.size() >= 4) std::memcpy(&trie_bytes, bytes.data(), 4);
  if (bytes.size() < 4 || trie_bytes % 4 != 0 || trie_bytes > bytes.size() - 4) {
    return Error{ErrorCode::kCorrupt, "precompiled_charsmap is shorter than its trie"};
  }
  PrecompiledCharsmap map;
  map.units_.resize(trie_bytes / 4);
  if (trie_bytes > 0) std::memcpy(map.units_.data(), bytes.data() + 4, trie_bytes);
  map.replacements_ = bytes.substr(4 + trie_bytes);
  if (!is_valid_utf8(map.replacements_)) {
    return Error{ErrorCode::kCorrupt, "precompiled_charsmap's replacements are not UTF-8"};
  }
  return map;
}

// The replacement of the shortest prefix of `key` that the trie knows.
bool PrecompiledCharsmap::find(std::string_view key, std::string_view& replacement) const {
  if (units_.empty()) return false;
  size_t node = offset_of(units_[0]);
  for (const char c : key) {
    const uint32_t label = static_cast<unsigned char>(c);
    if (label == 0) return false;
    node ^= label;
    if (node >= units_.size() || label_of(units_[node]) != label) return false;
    const uint32_t unit = units_[node];
    node ^= offset_of(unit);
    if (!has_value(unit)) continue;
    if (node >= units_.size()) return false;
    const size_t at = value_of(units_[node]);
    if (at >= replacements_.size() || (static_cast<unsigned char>(replacements_[at]) & 0xC0) == 0x80) return false;
    replacement = std::string_view(replacements_).substr(at);
    replacement = replacement.substr(0, replacement.find('\0'));
    return true;
  }
  return false;
}

std::string PrecompiledCharsmap::apply(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  std::string_view replacement;
  for (size_t pos = 0; pos < text.size();) {
    size_t end = pos, length = 0;
    utf8proc_int32_t state = 0;
    auto before = static_cast<utf8proc_int32_t>(decode_utf8(text, end, length));
    for (end += length; end < text.size(); end += length) {
      const auto c = static_cast<utf8proc_int32_t>(decode_utf8(text, end, length));
      if (utf8proc_grapheme_break_stateful(before, c, &state)) break;
      before = c;
    }
    const std::string_view grapheme = text.substr(pos, end - pos);
    if (grapheme.size() < kGraphemeBytesMax && find(grapheme, replacement)) {
      out += replacement;
    } else {
      for (size_t at = pos; at < end; at += length) {
        length = utf8_length(static_cast<unsigned char>(text[at]));
        const std::string_view character = text.substr(at, length);
        out += find(character, replacement) ? replacement : character;
      }
    }
    pos = end;
  }
  return out;
}

}  // namespace seraph::text
