// Help texts made from the option tables. Pure functions: they return text, commands print it.
#pragma once

#include <string>

#include "daemon/cli/option.h"

namespace seraph {

/// The page of `seraph --help`: commands, then how to go on.
std::string overview_help();
/// All options of a table by group; those that are only taken or refused are counted, or listed with `everything`.
std::string table_help(const OptionTable& table, bool everything);
/// Everything known about one option: type, defaults of both verbs, environment variable, range, choices.
std::string option_help(const OptionRow& row);

}  // namespace seraph
