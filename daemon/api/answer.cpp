#include "daemon/api/answer.h"

#include <charconv>

namespace seraph {

void append_ids(std::string& out, std::span<const TokenId> ids) {
  out += '[';
  char digits[16];
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) out += ',';
    out.append(digits, std::to_chars(digits, digits + sizeof digits, ids[i]).ptr);
  }
  out += ']';
}

void append_usage_object(std::string& out, const Usage& usage, bool with_nulls) {
  out += "{\"prompt_tokens\":" + std::to_string(usage.prompt_tokens);
  out += ",\"total_tokens\":" + std::to_string(usage.prompt_tokens + usage.completion_tokens);
  out += ",\"completion_tokens\":" + std::to_string(usage.completion_tokens);
  if (usage.cached_tokens) {
    out += ",\"prompt_tokens_details\":{\"cached_tokens\":" + std::to_string(*usage.cached_tokens) + '}';
  } else if (with_nulls) {
    out += ",\"prompt_tokens_details\":null";
  }
  if (usage.reasoning_tokens) {
    out += ",\"completion_tokens_details\":{\"reasoning_tokens\":" + std::to_string(*usage.reasoning_tokens) + '}';
  } else if (with_nulls) {
    out += ",\"completion_tokens_details\":null";
  }
  out += '}';
}

}  // namespace seraph
