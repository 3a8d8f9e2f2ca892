#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>

#include "daemon/commands/commands.h"

namespace seraph {

int report_error(std::string_view command, const Error& error) {
  fmt::print(stderr, "seraph {}: error: {}\n", command, error.text());
  switch (error.code) {
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kUnavailable:
    case ErrorCode::kInternal:
      return 1;
    default:
      return 2;
  }
}

bool asks_for_help(const Args& args) {
  return std::any_of(args.begin(), args.end(), [](const std::string& arg) { return arg == "-h" || arg == "--help"; });
}

}  // namespace seraph
