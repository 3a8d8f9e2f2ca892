#include "engine/schedule/prefix_cache.h"

#include "engine/base/check.h"

namespace seraph {

PrefixCache::PrefixCache(int32_t num_blocks)
    : keys_(static_cast<size_t>(num_blocks)), has_key_(static_cast<size_t>(num_blocks), 0) {
  size_t slots = 16;
  while (slots < static_cast<size_t>(num_blocks) * 2) slots *= 2;
  slots_.assign(slots, -1);
  mask_ = slots - 1;
}

int32_t PrefixCache::find(const BlockKey& key) const {
  for (size_t i = home(key); slots_[i] >= 0; i = (i + 1) & mask_) {
    if (keys_[static_cast<size_t>(slots_[i])] == key) return slots_[i];
  }
  return -1;
}

bool PrefixCache::insert(const BlockKey& key, int32_t block) {
  SERAPH_CHECK(!has_key(block), "a block is registered once per life");
  size_t i = home(key);
  for (; slots_[i] >= 0; i = (i + 1) & mask_) {
    if (keys_[static_cast<size_t>(slots_[i])] == key) return false;
  }
  slots_[i] = block;
  keys_[static_cast<size_t>(block)] = key;
  has_key_[static_cast<size_t>(block)] = 1;
  ++size_;
  return true;
}

void PrefixCache::erase(int32_t block) {
  SERAPH_CHECK(has_key(block), "only registered blocks are erased");
  size_t hole = home(keys_[static_cast<size_t>(block)]);
  while (slots_[hole] != block) hole = (hole + 1) & mask_;
  has_key_[static_cast<size_t>(block)] = 0;
  --size_;
  // Close the gap: move back every later entry of the run whose home does not lie behind the hole.
  for (size_t i = (hole + 1) & mask_; slots_[i] >= 0; i = (i + 1) & mask_) {
    const size_t distance_home = (i - home(keys_[static_cast<size_t>(slots_[i])])) & mask_;
    const size_t distance_hole = (i - hole) & mask_;
    if (distance_home >= distance_hole) {
      slots_[hole] = slots_[i];
      hole = i;
    }
  }
  slots_[hole] = -1;
}

}  // namespace seraph
