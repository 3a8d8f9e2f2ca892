#include "daemon/cli/help.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>

#include "daemon/commands/commands.h"

namespace seraph {

int run_help(const Args& args) {
  if (args.empty()) {
    fmt::print("{}", overview_help());
    return 0;
  }
  std::string name = args.front();
  if (name == "all") {
    fmt::print("{}", table_help(server_options(Verb::kRun), true));
    return 0;
  }
  if (name == "markdown") {
    fmt::print("{}", options_markdown());
    return 0;
  }
  if (name == "help" || name == "version") return run_help({});
  if (name == "lora") return run_lora({});
  if (name == "check") {
    Args rest(args.begin() + 1, args.end());
    rest.emplace_back("--help");
    return run_check(rest);
  }
  const OptionTable tables[] = {server_options(Verb::kRun), server_options(Verb::kServe), bench_options(),
                                plan_options()};
  for (const OptionTable& table : tables) {
    if (name != table.command) continue;
    fmt::print("{}", table_help(table, false));
    return 0;
  }
  const OptionRow* row = tables[0].find_short(name);
  name.erase(0, name.find_first_not_of('-'));
  std::replace(name.begin(), name.end(), '_', '-');
  for (const OptionTable& table : tables) {
    if (row == nullptr) row = table.find(name);
  }
  if (row == nullptr) {
    const std::string nearest = tables[0].nearest(name);
    return report_error("help", Error{ErrorCode::kNotFound, fmt::format("there is no command or option '{}'", name),
                                      nearest.empty() ? "" : fmt::format("did you mean {}?", nearest)});
  }
  fmt::print("{}", option_help(*row));
  return 0;
}

}  // namespace seraph
