#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>

#include "daemon/cli/help.h"
#include "daemon/cli/settings.h"
#include "daemon/commands/check_grammar.h"
#include "daemon/commands/check_prompt.h"
#include "daemon/commands/check_tools.h"
#include "daemon/commands/commands.h"
#include "daemon/commands/server_settings.h"

namespace seraph {
namespace {

constexpr OptionRow kCheckPromptOptions[] = {
    {.name = "file", .group = OptionGroup::kTool, .help = "JSON file with one conversation."},
    {.name = "jsonl", .group = OptionGroup::kTool, .help = "File with one case a line; each gives one line of JSON."},
    {.name = "model",
     .group = OptionGroup::kTool,
     .help = "Model folder whose template is used where a case names none."},
    {.name = "chat-template", .group = OptionGroup::kTool, .help = "Template file or text that is used instead."},
};

int check_prompt(const Args& args) {
  OptionTable table{.command = "check prompt", .positional = "file"};
  table.add(kCheckPromptOptions);
  if (asks_for_help(args)) {
    fmt::print("{}", table_help(table, false));
    return 0;
  }
  auto settings = resolve_settings(table, Verb::kServe, Sources{args, nullptr});
  if (!settings.ok()) return report_error(table.command, settings.error());
  CheckPromptArgs prompt;
  prompt.json_path = settings->text("file");
  prompt.jsonl_path = settings->text("jsonl");
  prompt.model_dir = settings->text("model");
  prompt.chat_template = settings->text("chat-template");
  return run_check_prompt(prompt);
}

constexpr OptionRow kCheckToolsOptions[] = {
    {.name = "file", .group = OptionGroup::kTool, .help = "File with a model's text; standard input without one."},
    {.name = "jsonl", .group = OptionGroup::kTool, .help = "File with one case a line; each gives one line of JSON."},
    {.name = "parser", .group = OptionGroup::kTool, .help = "Tool-call parser where a case names none."},
    {.name = "reasoning-parser", .group = OptionGroup::kTool, .help = "Reasoning parser where a case names none."},
    {.name = "every-split",
     .type = OptionType::kBool,
     .group = OptionGroup::kTool,
     .help = "Also cut each text at every place and compare what comes out."},
};

int check_tools(const Args& args) {
  OptionTable table{.command = "check tools", .positional = "file"};
  table.add(kCheckToolsOptions);
  if (asks_for_help(args)) {
    fmt::print("{}", table_help(table, false));
    return 0;
  }
  auto settings = resolve_settings(table, Verb::kServe, Sources{args, nullptr});
  if (!settings.ok()) return report_error(table.command, settings.error());
  CheckToolsArgs tools;
  tools.text_path = settings->text("file");
  tools.jsonl_path = settings->text("jsonl");
  tools.parser = settings->text("parser");
  tools.reasoning_parser = settings->text("reasoning-parser");
  tools.every_split = settings->flag("every-split");
  return run_check_tools(tools);
}

constexpr OptionRow kCheckGrammarOptions[] = {
    {.name = "file", .group = OptionGroup::kTool, .help = "JSON file with one constraint and text."},
    {.name = "jsonl", .group = OptionGroup::kTool, .help = "File with one case a line; each gives one line of JSON."},
};

int check_grammar(const Args& args) {
  OptionTable table{.command = "check grammar", .positional = "file"};
  table.add(kCheckGrammarOptions);
  if (asks_for_help(args)) {
    fmt::print("{}", table_help(table, false));
    return 0;
  }
  auto settings = resolve_settings(table, Verb::kServe, Sources{args, nullptr});
  if (!settings.ok()) return report_error(table.command, settings.error());
  return run_check_grammar({settings->text("file"), settings->text("jsonl")});
}

/// The effective values, one a line, then whether the server would start with them.
int check_settings(Verb verb, const Args& args) {
  auto settings = resolve_server_settings(verb, Sources{args, process_environment});
  if (!settings.ok()) return report_error("check", settings.error());
  for (const std::string& note : settings->notes()) fmt::print(stderr, "note: {}\n", note);
  fmt::print("{}", settings_report(*settings));
  std::fflush(stdout);
  auto server = make_server_settings(verb, *settings);
  return server.ok() ? 0 : report_error("check", server.error());
}

}  // namespace

int run_check(const Args& args) {
  if (!args.empty() && args.front() == "prompt") return check_prompt(Args(args.begin() + 1, args.end()));
  if (!args.empty() && args.front() == "grammar") return check_grammar(Args(args.begin() + 1, args.end()));
  if (!args.empty() && args.front() == "tools") return check_tools(Args(args.begin() + 1, args.end()));
  if (asks_for_help(args)) {
    fmt::print(
        "usage: seraph check [run|serve] [options]   every option's value and where it comes from\n"
        "       seraph check prompt [FILE.json | --jsonl FILE] [--model DIR] [--chat-template TEMPLATE]\n"
        "                                            render conversations through a chat template\n"
        "       seraph check tools [FILE | --jsonl FILE] --parser P [--reasoning-parser R] [--every-split]\n"
        "                                            tool calls and reasoning in a model's text\n"
        "       seraph check grammar [FILE.json | --jsonl FILE]\n"
        "                                            which texts a schema, regex, grammar, choice or tag accepts\n");
    return 0;
  }
  if (!args.empty() && (args.front() == "serve" || args.front() == "run")) {
    return check_settings(args.front() == "run" ? Verb::kRun : Verb::kServe, Args(args.begin() + 1, args.end()));
  }
  return check_settings(Verb::kRun, args);
}

}  // namespace seraph
