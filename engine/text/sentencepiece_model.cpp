#include "engine/text/sentencepiece_model.h"

#include <cstring>

#include "engine/text/subword_model.h"

namespace seraph::text {
namespace {

// Protobuf's wire format: fields are varint keys (number << 3 | wire type) followed by a varint (0), 8 bytes (1),
// a length and as many bytes (2), or 4 bytes (5).
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : bytes_(bytes) {}

  /// Reads the next field; false at the end or, with failed() then true, on nonsense.
  bool next() {
    uint64_t key = 0;
    if (bytes_.empty() || !read_varint(key)) return false;
    number = key >> 3;
    wire_type = key & 7;
    payload = {};
    value = 0;
    switch (wire_type) {
      case 0:
        return read_varint(value);
      case 1:
        return take(8);
      case 2: {
        uint64_t length = 0;
        return read_varint(length) && take(length);
      }
      case 5:
        return take(4);
      default:
        failed_ = true;
        return false;
    }
  }
  bool failed() const { return failed_; }

  uint64_t number = 0, wire_type = 0, value = 0;
  std::string_view payload;

 private:
  bool read_varint(uint64_t& out) {
    out = 0;
    for (int shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      out |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    failed_ = true;
    return false;
  }
  bool take(uint64_t length) {
    if (length > bytes_.size()) {
      failed_ = true;
      return false;
    }
    payload = bytes_.substr(0, length);
    bytes_.remove_prefix(length);
    return true;
  }

  std::string_view bytes_;
  bool failed_ = false;
};

bool read_piece(std::string_view bytes, SentencePieceModel::Piece& piece) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.number == 1 && reader.wire_type == 2) piece.text = reader.payload;
    if (reader.number == 2 && reader.wire_type == 5) std::memcpy(&piece.score, reader.payload.data(), 4);
    if (reader.number == 3 && reader.wire_type == 0) {
      if (reader.value < 1 || reader.value > 6) return false;
      piece.type = static_cast<SentencePieceModel::PieceType>(reader.value);
    }
  }
  return !reader.failed();
}

bool read_trainer(std::string_view bytes, SentencePieceModel& model) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.number == 3 && reader.wire_type == 0) {
      if (reader.value < 1 || reader.value > 4) return false;
      model.algorithm = static_cast<SentencePieceModel::Algorithm>(reader.value);
    }
    if (reader.number == 44 && reader.wire_type == 2) model.unk_surface = reader.payload;
  }
  return !reader.failed();
}

bool read_normalizer(std::string_view bytes, SentencePieceModel& model) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.wire_type != 0) continue;
    if (reader.number == 3) model.add_dummy_prefix = reader.value != 0;
    if (reader.number == 4) model.remove_extra_whitespaces = reader.value != 0;
  }
  return !reader.failed();
}

}  // namespace

Result<SentencePieceModel> SentencePieceModel::parse(std::string_view bytes) {
  SentencePieceModel model;
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.wire_type != 2) continue;
    bool sound = true;
    if (reader.number == 1) {
      sound = model.pieces.size() <= static_cast<size_t>(kTokenIdMax) &&
              read_piece(reader.payload, model.pieces.emplace_back());
    }
    if (reader.number == 2) sound = read_trainer(reader.payload, model);
    if (reader.number == 3) sound = read_normalizer(reader.payload, model);
    if (!sound) {
      return Error{ErrorCode::kCorrupt, "field " + std::to_string(reader.number) +
                                            " of the ModelProto is broken (piece " +
                                            std::to_string(model.pieces.size()) + ")"};
    }
  }
  if (reader.failed() || model.pieces.empty()) {
    return Error{ErrorCode::kCorrupt, "it is no sentencepiece ModelProto with pieces"};
  }
  return model;
}

}  // namespace seraph::text
