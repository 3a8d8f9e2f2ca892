// The vocabulary as a tree of byte strings, for masks: tokens that share a prefix are decided together. Immutable,
// shared by every grammar of a model and by all threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer.h"

namespace seraph {

class TokenTable {
 public:
  /// Special and other added tokens, and ids without a text of their own, have no bytes: no mask allows them. Those of
  /// `markers` have their text.
  static std::shared_ptr<const TokenTable> from_tokenizer(const Tokenizer& tokenizer,
                                                          std::span<const std::string_view> markers = {});
  /// bytes[id]; "" for ids that no grammar may take.
  static std::shared_ptr<const TokenTable> from_bytes(std::vector<std::string> bytes);

  int32_t vocab_size() const { return static_cast<int32_t>(bytes_.size()); }
  size_t mask_words() const { return (bytes_.size() + 31) / 32; }
  std::string_view bytes(int32_t id) const { return bytes_[static_cast<size_t>(id)]; }

  // The tree in depth-first order without its root; the children of node n begin at n + 1.
  uint32_t num_nodes() const { return static_cast<uint32_t>(byte_.size()); }
  uint8_t byte(uint32_t node) const { return byte_[node]; }
  uint32_t depth(uint32_t node) const { return depth_[node]; }  // bytes up to and with this node's
  uint32_t end(uint32_t node) const { return end_[node]; }      // the first node that is not below
  std::span<const int32_t> tokens(uint32_t node) const {
    return {ids_.data() + token_rows_[node], ids_.data() + token_rows_[node + 1]};
  }

 private:
  std::vector<std::string> bytes_;
  std::vector<uint8_t> byte_;
  std::vector<uint16_t> depth_;
  std::vector<uint32_t> end_;
  std::vector<uint32_t> token_rows_;
  std::vector<int32_t> ids_;
};

}  // namespace seraph
