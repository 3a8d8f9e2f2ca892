// The pool of KV blocks: who holds which, which are free, which are unreferenced but still findable by
// their content. Integers only. Every block is in exactly one state:
//
//   free     no reference, no key      on the free stack
//   cached   no reference, a key       on the LRU list, oldest first; taken when nothing is free
//   held     1..n references           with a key (others may share it) or without
//
// Leaves go first without counting children: a holder of a block holds its whole chain, and release_all()
// returns a chain from its end, so a parent is always younger on the LRU list than its children.
// Engine thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/schedule/prefix_cache.h"

namespace seraph {

class KvBlocks {
 public:
  explicit KvBlocks(int32_t num_blocks);

  int32_t num_total() const { return static_cast<int32_t>(references_.size()); }
  int32_t num_free() const { return static_cast<int32_t>(free_.size()); }
  int32_t num_cached() const { return num_cached_; }
  int32_t num_held() const { return num_held_; }
  /// Blocks that take() can give: free ones and cached ones.
  int32_t num_available() const { return num_free() + num_cached_; }

  /// A block with one reference and no content. REQUIRES: num_available() > 0.
  int32_t take();
  /// The block of that content, or -1. Takes no reference.
  int32_t find(const BlockKey& key) const { return cache_.find(key); }
  bool is_held(int32_t block) const { return references_[static_cast<size_t>(block)] > 0; }
  /// One more reference to a held or cached block.
  void share(int32_t block);
  /// Names a held block's content. Nothing happens when another block has that content already.
  void set_key(int32_t block, const BlockKey& key);
  /// Gives back one reference to each block of a chain and clears the list.
  void release_all(std::vector<int32_t>& chain);

  /// What a held chain contains is not findable any more; its holders keep it.
  void forget(const std::vector<int32_t>& chain);
  /// Nothing is findable any more: cached blocks are free, held ones stay with their holders.
  void forget_all();

  /// The idle check: every block is in exactly one state and the states add up to the total. Also that nothing is
  /// held when `expect_unheld`. Ends the process otherwise: a wrong count would give one user another's text.
  void check_integrity(bool expect_unheld) const;

 private:
  void lru_push_back(int32_t block);
  void lru_remove(int32_t block);

  PrefixCache cache_;
  std::vector<int32_t> references_;
  std::vector<int32_t> free_;                 // a stack
  std::vector<int32_t> lru_next_, lru_prev_;  // by block; the list's ends are in index num_total()
  int32_t num_cached_ = 0;
  int32_t num_held_ = 0;
};

}  // namespace seraph
