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

}  // namespace seraph
