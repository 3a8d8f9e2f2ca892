// Sets of Unicode characters as sorted ranges. Pure values.
#pragma once

#include <cstdint>
#include <vector>

namespace seraph::grammar {

inline constexpr uint32_t kCharMax = 0x10FFFF;

struct CharRange {
  uint32_t lo, hi;  // inclusive
  friend bool operator==(const CharRange&, const CharRange&) = default;
};

/// Sorted, without overlaps or neighbours that could be one range.
using CharSet = std::vector<CharRange>;

/// Sorts and joins.
CharSet normalized(CharSet ranges);
CharSet complement(const CharSet& set);
bool contains(const CharSet& set, uint32_t character);
/// Adds a-z for A-Z and the other way round.
CharSet with_ascii_case(const CharSet& set);

}  // namespace seraph::grammar
