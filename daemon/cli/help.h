// Help texts made from the option tables. Pure functions: they return text, commands print it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "daemon/cli/option.h"
#include "daemon/cli/settings.h"

namespace seraph {

struct GroupTitle {
  OptionGroup group;
  const char* title;
};
/// In the order in which pages show them.
std::span<const GroupTitle> option_groups();

/// The page of `seraph --help`: commands, then how to go on.
std::string overview_help();
/// All options of a table by group; those that are only taken or refused are counted, or listed with `everything`.
std::string table_help(const OptionTable& table, bool everything);
/// --help=TOPIC: "" is the page above, "all" lists everything, else one group by a word of its title, or the options
/// with the word in their name or text.
std::string topic_help(const OptionTable& table, std::string_view topic);
/// Every option that acts or was set: name, value, origin; by group, as `seraph check` prints them.
std::string settings_report(const Settings& settings);
/// config/OPTIONS.md: every option of `run` and `serve` in tables.
std::string options_markdown();
/// Everything known about one option: type, defaults of both verbs, environment variable, range, choices.
std::string option_help(const OptionRow& row);

}  // namespace seraph
