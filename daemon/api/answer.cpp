#include "daemon/api/answer.h"

#include <charconv>

#include "daemon/api/anthropic.h"

namespace seraph {

std::string error_body(Endpoint endpoint, const ApiError& error) {
  const bool anthropic = endpoint == kMessages || endpoint == kCountTokens;
  return anthropic && !error.bare ? anthropic_error_json(error) : error_json(error);
}

void append_ids(std::string& out, std::span<const TokenId> ids) {
  out += '[';
  char digits[16];
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) out += ',';
    out.append(digits, std::to_chars(digits, digits + sizeof digits, ids[i]).ptr);
  }
  out += ']';
}

}  // namespace seraph
