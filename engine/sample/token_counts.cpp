#include "engine/sample/token_counts.h"

#include <algorithm>

namespace seraph {
namespace {

size_t hash_id(int32_t id) { return static_cast<uint32_t>(id) * size_t{0x9E3779B97F4A7C15} >> 20; }

}  // namespace

void TokenCounts::clear() {
  counts_.clear();
  std::fill(index_.begin(), index_.end(), -1);
}

void TokenCounts::add_prompt(std::span<const int32_t> ids) {
  for (const int32_t id : ids) entry(id).in_prompt = true;
}

TokenCount& TokenCounts::entry(int32_t id) {
  if ((counts_.size() + 1) * 2 > index_.size()) grow();
  const size_t mask = index_.size() - 1;
  size_t i = hash_id(id) & mask;
  for (; index_[i] >= 0; i = (i + 1) & mask) {
    TokenCount& count = counts_[static_cast<size_t>(index_[i])];
    if (count.id == id) return count;
  }
  index_[i] = static_cast<int32_t>(counts_.size());
  return counts_.emplace_back(TokenCount{.id = id});
}

void TokenCounts::grow() {
  index_.assign(std::max<size_t>(64, index_.size() * 2), -1);
  const size_t mask = index_.size() - 1;
  for (size_t k = 0; k < counts_.size(); ++k) {
    size_t i = hash_id(counts_[k].id) & mask;
    while (index_[i] >= 0) i = (i + 1) & mask;
    index_[i] = static_cast<int32_t>(k);
  }
}

}  // namespace seraph
