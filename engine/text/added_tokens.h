// Tokens that are recognised in text before the model sees it: chat markers, specials, user additions.
// Filled at load, then immutable; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/flat_table.h"

namespace seraph::text {

struct AddedToken {
  std::string content;
  int32_t id = -1;
  bool special = false;
  bool lstrip = false, rstrip = false;  // a match swallows the spaces on that side
  bool single_word = false;             // matches only where no word character touches it
  bool normalized = false;              // looked for in normalised text, by its normalised content
  std::string shown = {};               // what it decodes to: its content, normalised if it is a normalised token
};

/// A stretch of text: a token (id >= 0), or text between (id -1).
struct TextSegment {
  size_t begin, end;
  int32_t id;
};

class AddedTokens {
 public:
  /// Adds the token or replaces the one with the same content.
  void add(AddedToken token);
  /// The token with that content, or null.
  const AddedToken* find(std::string_view content) const;
  const AddedToken* find_id(int32_t id) const;
  const std::vector<AddedToken>& all() const { return tokens_; }
  /// Builds the matchers; afterwards add() is over. `normalize` rewrites the content of normalised tokens.
  void freeze(const std::function<void(std::string&)>& normalize);

  bool has_normalized() const { return !normalized_.empty(); }
  /// Cuts `text` at its tokens (leftmost, then longest); no segment is empty. With `parse_special` false, the text of
  /// special tokens stays text.
  void split_raw(std::string_view text, bool parse_special, std::vector<TextSegment>& out) const {
    split(raw_, text, parse_special, out);
  }
  void split_normalized(std::string_view text, bool parse_special, std::vector<TextSegment>& out) const {
    split(normalized_, text, parse_special, out);
  }

 private:
  /// A byte trie of contents; leaves say which token.
  struct Matcher {
    PairTable edges;                // (node, byte) -> node
    std::vector<int32_t> token_of;  // index in tokens_, -1 where none ends
    std::array<bool, 256> can_begin{};
    void add(std::string_view content, int32_t token);
    bool empty() const { return token_of.size() < 2; }
    /// The longest token at `pos`, -1 for none; sets its end.
    int32_t longest(std::string_view text, size_t pos, size_t& end) const;
  };
  void split(const Matcher& matcher, std::string_view text, bool parse_special, std::vector<TextSegment>& out) const;

  std::vector<AddedToken> tokens_;
  StringTable by_content_;  // index in tokens_
  std::vector<int32_t> by_id_;
  Matcher raw_, normalized_;
};

}  // namespace seraph::text
