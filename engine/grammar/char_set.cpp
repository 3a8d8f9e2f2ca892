#include "engine/grammar/char_set.h"

#include <algorithm>

namespace seraph::grammar {

CharSet normalized(CharSet ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const CharRange& a, const CharRange& b) { return a.lo < b.lo; });
  CharSet out;
  for (const CharRange& range : ranges) {
    if (!out.empty() && range.lo <= out.back().hi + 1) {
      out.back().hi = std::max(out.back().hi, range.hi);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

CharSet complement(const CharSet& set) {
  CharSet out;
  uint32_t next = 0;
  for (const CharRange& range : set) {
    if (range.lo > next) out.push_back({next, range.lo - 1});
    next = range.hi + 1;
  }
  if (next <= kCharMax) out.push_back({next, kCharMax});
  return out;
}

bool contains(const CharSet& set, uint32_t character) {
  const auto after = std::upper_bound(set.begin(), set.end(), character,
                                      [](uint32_t value, const CharRange& range) { return value < range.lo; });
  return after != set.begin() && character <= (after - 1)->hi;
}

CharSet with_ascii_case(const CharSet& set) {
  CharSet out = set;
  for (uint32_t i = 0; i < 26; ++i) {
    if (contains(set, 'a' + i)) out.push_back({'A' + i, 'A' + i});
    if (contains(set, 'A' + i)) out.push_back({'a' + i, 'a' + i});
  }
  return normalized(std::move(out));
}

}  // namespace seraph::grammar
