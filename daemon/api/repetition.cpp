#include "daemon/api/repetition.h"

#include <algorithm>

#include "daemon/api/fields.h"

namespace seraph {

std::optional<ApiError> read_repetition(const Json& body, RepetitionRule& out) {
  const Json* given = find_given(body, "repetition_detection");
  if (given == nullptr) return std::nullopt;
  const int64_t size_max = find_int(*given, "max_pattern_size").value_or(0);
  const int64_t size_min = find_int(*given, "min_pattern_size").value_or(0);
  const int64_t count_min = find_int(*given, "min_count").value_or(0);
  if (size_max < 0 || size_min < 0 || size_min > size_max) {
    return bad_request(
        "max_pattern_size, min_pattern_size must be >=0, with min_pattern_size <= max_pattern_size. Set both to 0 to "
        "disable repetitive pattern detection.");
  }
  if (size_max > 0 && count_min < 2) {
    return bad_request(
        "min_count must be >= 2 to detect repetitive patterns in engine output. If you do not wish to detect "
        "repetitive patterns, set max_pattern_size to 0.");
  }
  out = {.size_min = std::max<int64_t>(size_min, 1), .size_max = size_max, .count_min = count_min};
  return std::nullopt;
}

bool repeats(std::span<const TokenId> tokens, const RepetitionRule& rule) {
  const auto length = static_cast<int64_t>(tokens.size());
  for (int64_t size = rule.size_min; size <= rule.size_max && size <= length / rule.count_min; ++size) {
    // Tokens equal to those one pattern before them, all along the last count_min patterns.
    const auto last = tokens.last(static_cast<size_t>(size * rule.count_min));
    if (std::equal(last.begin() + size, last.end(), last.begin())) return true;
  }
  return false;
}

}  // namespace seraph
