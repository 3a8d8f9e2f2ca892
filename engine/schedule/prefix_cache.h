// Which block holds which content: BlockKey -> block, at most one block per key and one key per block.
// Integers only; knows nothing of references or eviction (kv_blocks.h). Open addressing with linear
// probing, sized once for all blocks, so that the step path allocates nothing. Engine thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/schedule/block_key.h"

namespace seraph {

class PrefixCache {
 public:
  explicit PrefixCache(int32_t num_blocks);

  /// The block registered under this key, or -1.
  int32_t find(const BlockKey& key) const;
  /// False when the key already names a block (then nothing changes) . REQUIRES: the block has no key.
  bool insert(const BlockKey& key, int32_t block);
  bool has_key(int32_t block) const { return has_key_[static_cast<size_t>(block)] != 0; }
  /// REQUIRES: has_key(block).
  void erase(int32_t block);
  int32_t size() const { return size_; }

 private:
  size_t home(const BlockKey& key) const { return key.low & mask_; }

  std::vector<int32_t> slots_;  // block or -1; at most half full
  std::vector<BlockKey> keys_;  // by block
  std::vector<uint8_t> has_key_;
  size_t mask_ = 0;
  int32_t size_ = 0;
};

}  // namespace seraph
