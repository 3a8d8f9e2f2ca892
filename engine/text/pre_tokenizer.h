// The pre-tokenizers of tokenizer.json: a stretch of text is cut into the pieces that the model sees one by one.
// Immutable after parsing; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"

namespace seraph::text {

/// Pieces of a text: ranges, because most steps only cut. Steps that rewrite put the new text into `storage`.
struct PieceList {
  struct Piece {
    size_t begin, end;
    bool at_start;  // the piece begins where the user's whole text begins
  };
  std::string_view text;
  std::string storage;
  std::vector<Piece> pieces, scratch;
};

class PreTokenizerStep {
 public:
  virtual ~PreTokenizerStep() = default;
  virtual void apply(PieceList& list) const = 0;
};

class PreTokenizer {
 public:
  /// Reads the value of the key "pre_tokenizer". With `allow_bytes`, a ByteLevel at the end leaves the text as bytes
  /// (byte_level() is then true) and the model is asked for bytes, which spares the detour over printable characters.
  static Result<PreTokenizer> parse(const Json& spec, bool allow_bytes);
  /// Metaspace without cutting: replace spaces by `replacement`, prefix by scheme ("always", "first", "never").
  static PreTokenizer metaspace(const std::string& scheme);

  bool byte_level() const { return byte_level_; }
  /// Cuts `text` (not empty, valid UTF-8), which must live as long as the result; no piece is empty.
  void apply(std::string_view text, bool at_start, PieceList& list) const;

 private:
  std::vector<std::unique_ptr<PreTokenizerStep>> steps_;
  bool byte_level_ = false;
};

}  // namespace seraph::text
