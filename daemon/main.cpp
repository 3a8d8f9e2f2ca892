// The binary's entry: the verb decides, everything else is in daemon/commands. Called by the name `vllm` (a link, for
// command lines of vLLM) it is the same program, and `serve` where the first word is no verb.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/commands/commands.h"

namespace {

bool is_called_vllm(std::string_view path) { return path.substr(path.rfind('/') + 1) == "vllm"; }

bool is_verb(std::string_view word) {
  constexpr std::string_view kVerbs[] = {"run",  "serve",  "bench", "plan",    "lora",      "check",
                                         "help", "--help", "-h",    "version", "--version", "-V"};
  return std::find(std::begin(kVerbs), std::end(kVerbs), word) != std::end(kVerbs);
}

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
  std::string verb = words.front();
  if (is_called_vllm(argv[0]) && !is_verb(verb)) {
    verb = "serve";
  } else {
    words.erase(words.begin());
  }
  try {
    return dispatch(verb, words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "seraph %s: error: %s\n", verb.c_str(), error.what());
    return 1;
  }
}
