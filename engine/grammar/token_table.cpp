#include "engine/grammar/token_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

#include "engine/text/unicode_text.h"

namespace seraph {
namespace {

/// GPT-2's map from characters of byte-level vocabularies to bytes; -1 for characters that stand for none.
std::array<int16_t, 0x180> byte_level_map() {
  std::array<int16_t, 0x180> map;
  map.fill(-1);
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    map[static_cast<size_t>(printable ? byte : next++)] = static_cast<int16_t>(byte);
  }
  return map;
}

std::string byte_level_bytes(std::string_view piece, const std::array<int16_t, 0x180>& map) {
  std::string out;
  for (size_t i = 0; i < piece.size();) {
    size_t length = 0;
    const char32_t c = text::decode_utf8(piece, i, length);
    if (c >= map.size() || map[c] < 0) return std::string(piece);  // an added token: its own text
    out.push_back(static_cast<char>(map[c]));
    i += length;
  }
  return out;
}

std::string sentencepiece_bytes(std::string_view piece) {
  // <0x0A> is one byte; U+2581 is a space.
  if (piece.size() == 6 && piece.substr(0, 3) == "<0x" && piece[5] == '>') {
    unsigned byte = 0;
    const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
    if (error == std::errc() && end == piece.data() + 5) return std::string(1, static_cast<char>(byte));
  }
  std::string out;
  for (size_t i = 0; i < piece.size();) {
    if (piece.substr(i, 3) == "\xE2\x96\x81") {
      out.push_back(' ');
      i += 3;
    } else {
      out.push_back(piece[i++]);
    }
  }
  return out;
}

}  // namespace

std::shared_ptr<const TokenTable> TokenTable::from_tokenizer(const Tokenizer& tokenizer,
                                                             std::span<const std::string_view> markers) {
  const int32_t size = tokenizer.vocab_size();
  int64_t byte_level = 0, sentencepiece = 0;
  for (int32_t id = 0; id < size; ++id) {
    byte_level += tokenizer.piece(id).substr(0, 2) == "\xC4\xA0";
    sentencepiece += tokenizer.piece(id).substr(0, 3) == "\xE2\x96\x81";
  }
  const std::array<int16_t, 0x180> map = byte_level_map();
  std::vector<std::string> bytes(static_cast<size_t>(size));
  for (int32_t id = 0; id < size; ++id) {
    if (tokenizer.is_added(id)) continue;
    const std::string_view piece = tokenizer.piece(id);
    bytes[static_cast<size_t>(id)] =
        byte_level >= sentencepiece ? byte_level_bytes(piece, map) : sentencepiece_bytes(piece);
  }
  for (const std::string_view marker : markers) {
    const int32_t id = tokenizer.find_piece(marker);
    if (id >= 0) bytes[static_cast<size_t>(id)] = marker;
  }
  return from_bytes(std::move(bytes));
}

std::shared_ptr<const TokenTable> TokenTable::from_bytes(std::vector<std::string> bytes) {
  auto table = std::make_shared<TokenTable>();
  constexpr size_t kTokenBytesMax = 0xFFFF;  // depths are 16 bits; longer tokens are left out
  std::vector<int32_t> order;
  for (size_t id = 0; id < bytes.size(); ++id) {
    if (!bytes[id].empty() && bytes[id].size() <= kTokenBytesMax) order.push_back(static_cast<int32_t>(id));
  }
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    const int compared = bytes[static_cast<size_t>(a)].compare(bytes[static_cast<size_t>(b)]);
    return compared != 0 ? compared < 0 : a < b;
  });
  std::vector<uint32_t> open;  // nodes of the current path
  std::string_view previous;
  for (const int32_t id : order) {
    const std::string_view text = bytes[static_cast<size_t>(id)];
    size_t common = 0;
    while (common < previous.size() && common < text.size() && previous[common] == text[common]) ++common;
    for (; open.size() > common; open.pop_back()) table->end_[open.back()] = table->num_nodes();
    for (size_t i = common; i < text.size(); ++i) {
      open.push_back(table->num_nodes());
      table->token_rows_.push_back(static_cast<uint32_t>(table->ids_.size()));
      table->byte_.push_back(static_cast<uint8_t>(text[i]));
      table->depth_.push_back(static_cast<uint16_t>(i + 1));
      table->end_.push_back(0);
    }
    table->ids_.push_back(id);
    previous = text;
  }
  for (; !open.empty(); open.pop_back()) table->end_[open.back()] = table->num_nodes();
  table->token_rows_.push_back(static_cast<uint32_t>(table->ids_.size()));
  table->bytes_ = std::move(bytes);
  return table;
}

}  // namespace seraph
