// The protobuf ModelProto inside a sentencepiece tokenizer.model, as far as decoding and conversion need it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace seraph::text {

struct SentencePieceModel {
  enum class PieceType { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
  enum class Algorithm { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };
  struct Piece {
    std::string text;
    float score = 0;
    PieceType type = PieceType::kNormal;
  };
  std::vector<Piece> pieces;
  Algorithm algorithm = Algorithm::kUnigram;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  std::string unk_surface = " \xE2\x81\x87 ";  // what an unknown piece decodes to

  /// kCorrupt with what is wrong; unknown fields are skipped.
  static Result<SentencePieceModel> parse(std::string_view bytes);
};

}  // namespace seraph::text
