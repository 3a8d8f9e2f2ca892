#include "daemon/commands/json_lines.h"

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace seraph {

void print_json_line(const Json& value) {
  static constexpr std::pair<std::string_view, std::string_view> kBreaks[] = {
      {"\xC2\x85", "\\u0085"}, {"\xE2\x80\xA8", "\\u2028"}, {"\xE2\x80\xA9", "\\u2029"}};
  std::string line = value.dump();
  for (const auto& [from, to] : kBreaks) {
    for (size_t at = line.find(from); at != std::string::npos; at = line.find(from, at))
      line.replace(at, from.size(), to);
  }
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stdout);
}

}  // namespace seraph
