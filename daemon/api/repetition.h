// `repetition_detection`: an answer ends when its last tokens are one pattern several times in a row. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "daemon/api/errors.h"
#include "engine/base/json.h"
#include "engine/request.h"

namespace seraph {

struct RepetitionRule {
  int64_t size_min = 1;  // tokens of the pattern
  int64_t size_max = 0;  // 0: nothing is looked for
  int64_t count_min = 2;
};

/// Reads the field of a checked body. Errors: 400 in vLLM's words.
std::optional<ApiError> read_repetition(const Json& body, RepetitionRule& out);

/// True when `tokens` ends with count_min times the same size_min .. size_max tokens.
bool repeats(std::span<const TokenId> tokens, const RepetitionRule& rule);

}  // namespace seraph
