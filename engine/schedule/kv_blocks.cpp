#include "engine/schedule/kv_blocks.h"

#include "engine/base/check.h"

namespace seraph {
namespace {

size_t at(int32_t block) { return static_cast<size_t>(block); }

}  // namespace

KvBlocks::KvBlocks(int32_t num_blocks)
    : cache_(num_blocks),
      references_(at(num_blocks), 0),
      lru_next_(at(num_blocks) + 1, num_blocks),
      lru_prev_(at(num_blocks) + 1, num_blocks) {
  free_.reserve(at(num_blocks));
  for (int32_t block = num_blocks - 1; block >= 0; --block) free_.push_back(block);
}

int32_t KvBlocks::take() {
  int32_t block = -1;
  if (!free_.empty()) {
    block = free_.back();
    free_.pop_back();
  } else {
    SERAPH_CHECK(num_cached_ > 0, "take() is called only when a block is available");
    block = lru_next_[at(num_total())];
    lru_remove(block);
    cache_.erase(block);
  }
  references_[at(block)] = 1;
  ++num_held_;
  return block;
}

void KvBlocks::share(int32_t block) {
  if (references_[at(block)]++ == 0) {
    SERAPH_CHECK(cache_.has_key(block), "a free block has no content to share");
    lru_remove(block);
    ++num_held_;
  }
}

void KvBlocks::set_key(int32_t block, const BlockKey& key) {
  SERAPH_CHECK(is_held(block), "only a holder names a block's content");
  if (!cache_.has_key(block)) cache_.insert(key, block);
}

void KvBlocks::release_all(std::vector<int32_t>& chain) {
  for (size_t i = chain.size(); i-- > 0;) {
    const int32_t block = chain[i];
    SERAPH_CHECK(is_held(block), "a reference is given back once");
    if (--references_[at(block)] > 0) continue;
    --num_held_;
    if (cache_.has_key(block)) {
      lru_push_back(block);
    } else {
      free_.push_back(block);
    }
  }
  chain.clear();
}

void KvBlocks::forget(const std::vector<int32_t>& chain) {
  for (const int32_t block : chain) {
    SERAPH_CHECK(is_held(block), "a chain is forgotten while it is held");
    if (cache_.has_key(block)) cache_.erase(block);
  }
}

void KvBlocks::forget_all() {
  for (int32_t block = 0; block < num_total(); ++block) {
    if (!cache_.has_key(block)) continue;
    cache_.erase(block);
    if (is_held(block)) continue;
    lru_remove(block);
    free_.push_back(block);
  }
}

void KvBlocks::lru_push_back(int32_t block) {
  const int32_t end = num_total();
  const int32_t last = lru_prev_[at(end)];
  lru_next_[at(last)] = block;
  lru_prev_[at(block)] = last;
  lru_next_[at(block)] = end;
  lru_prev_[at(end)] = block;
  ++num_cached_;
}

void KvBlocks::lru_remove(int32_t block) {
  const int32_t next = lru_next_[at(block)];
  const int32_t prev = lru_prev_[at(block)];
  lru_next_[at(prev)] = next;
  lru_prev_[at(next)] = prev;
  --num_cached_;
}

void KvBlocks::check_integrity(bool expect_unheld) const {
  int32_t held = 0;
  int32_t keyed_unheld = 0;
  for (int32_t block = 0; block < num_total(); ++block) {
    if (is_held(block)) {
      ++held;
    } else if (cache_.has_key(block)) {
      ++keyed_unheld;
    }
  }
  SERAPH_CHECK(held == num_held_, "the count of held blocks is right");
  SERAPH_CHECK(keyed_unheld == num_cached_, "every unreferenced block with content is on the LRU list");
  SERAPH_CHECK(num_free() + num_cached_ + num_held_ == num_total(), "free + cached + held is the total");
  SERAPH_CHECK(!expect_unheld || num_held_ == 0, "no sequence is left, so no block is held");
}

}  // namespace seraph
