// Sentencepiece's precompiled normalisation map, as a Precompiled normalizer of tokenizer.json carries it: a uint32
// with the trie's bytes, the trie (a darts-clone double array, little-endian uint32 units), then NUL-terminated
// replacements that the trie's values point into. Immutable; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace seraph::text {

class PrecompiledCharsmap {
 public:
  static Result<PrecompiledCharsmap> parse_base64(std::string_view text);
  static Result<PrecompiledCharsmap> parse(std::string_view bytes);
  /// Replaces, grapheme by grapheme, what the map knows (a whole short grapheme first, else its characters).
  std::string apply(std::string_view text) const;

 private:
  bool find(std::string_view key, std::string_view& replacement) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace seraph::text
