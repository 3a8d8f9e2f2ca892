// `seraph check tools`: what a tool-call parser and a reasoning parser make of a model's text, offline. One line of
// JSON per text: {"content", "reasoning_content", "tool_calls": [{"name", "arguments"}]} or {"error"}. One thread.
#pragma once

#include <string>

#include "engine/base/json.h"

namespace seraph {

struct CheckToolsArgs {
  std::string text_path;         // a file with one text; "" or "-" for standard input
  std::string jsonl_path;        // or a file with a case a line
  std::string parser;            // for cases that name no parser; "" for none
  std::string reasoning_parser;  // likewise
  bool every_split = false;      // also parse every cutting of each text, in both timings, and compare
};

/// A case is {"parser"?, "reasoning_parser"?, "text", "tools"?, "prompt_opens_think"?}. The answer is that of a whole
/// answer (ParseTiming::kDecided). With every_split an "error" names the first cutting whose deltas differ.
Json check_tools_answer(const CheckToolsArgs& args, const Json& tools_case);

/// Reads what the arguments name and prints the answers. Exit status: 0; 1 when a cutting differs; 2 when a file cannot
/// be read or a case is wrong.
int run_check_tools(const CheckToolsArgs& args);

}  // namespace seraph
