// The binary's entry: the verb decides, everything else is in daemon/commands.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "daemon/commands/commands.h"

namespace {

int dispatch(const std::string& verb, const seraph::Args& args) {
  using seraph::Verb;
  if (verb == "run") return seraph::run_server(Verb::kRun, args);
  if (verb == "serve") return seraph::run_server(Verb::kServe, args);
  if (verb == "bench") return seraph::run_bench(args);
  if (verb == "plan") return seraph::run_plan(args);
  if (verb == "lora") return seraph::run_lora(args);
  if (verb == "check") return seraph::run_check(args);
  if (verb == "help" || verb == "--help" || verb == "-h") return seraph::run_help(args);
  if (verb == "version" || verb == "--version" || verb == "-V") {
    std::puts("seraph " SERAPH_VERSION);
    return 0;
  }
  std::fprintf(stderr,
               "seraph: error: there is no command '%s'; run, serve, bench, plan, check, lora, help and version are "
               "(seraph help)\n",
               verb.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) {
    seraph::run_help({});
    return 2;
  }
  const std::string verb = words.front();
  words.erase(words.begin());
  try {
    return dispatch(verb, words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "seraph %s: error: %s\n", verb.c_str(), error.what());
    return 1;
  }
}
