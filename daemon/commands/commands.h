// The verbs of the binary. Each takes the words after its name and returns the process's exit status: 0 done, 1 failed,
// 2 the input (a flag, a file, a checkpoint) is wrong. They print to the terminal; nothing below them does.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/cli/option.h"
#include "engine/base/result.h"

namespace seraph {

using Args = std::vector<std::string>;

int run_server(Verb verb, const Args& args);  // run, serve
int run_bench(const Args& args);
int run_plan(const Args& args);
int run_lora(const Args& args);
int run_check(const Args& args);
int run_help(const Args& args);

/// Prints "seraph COMMAND: error: ..." to stderr; returns the exit status that belongs to the error's code.
int report_error(std::string_view command, const Error& error);
/// True when the words ask for help (-h, --help, --help=TOPIC anywhere).
bool asks_for_help(const Args& args);
/// What --help=TOPIC asks for; "" for --help and -h; nothing when no help is asked for.
std::optional<std::string> help_topic(const Args& args);

OptionTable bench_options();
OptionTable plan_options();

}  // namespace seraph
