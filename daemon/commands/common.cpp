#include <spdlog/fmt/fmt.h>

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

bool asks_for_help(const Args& args) { return help_topic(args).has_value(); }

std::optional<std::string> help_topic(const Args& args) {
  for (const std::string& arg : args) {
    if (arg == "-h" || arg == "--help") return "";
    if (arg.starts_with("--help=")) return arg.substr(7);
  }
  return std::nullopt;
}

}  // namespace seraph
