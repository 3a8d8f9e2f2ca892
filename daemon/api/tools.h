// The tool and reasoning side of a chat request: what `tools` and `tool_choice` may hold, which parsers the answer
// passes through, and the parser that suits a chat template. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/api.h"
#include "daemon/api/errors.h"
#include "daemon/api/structured.h"
#include "engine/base/json.h"
#include "engine/text/reasoning_parser.h"
#include "engine/text/tokenizer.h"

namespace seraph {

/// How the text of an answer becomes its parts.
struct OutputPlan {
  OutputFormat format;              // no parser: the text is content as it is
  Json tools;                       // the request's, for formats without types
  bool parallel_tool_calls = true;  // false: only the first call is shown
  bool include_reasoning = true;
  bool short_call_ids = false;  // nine letters and digits
  bool needs_special_tokens = false;
  ConstraintSource forced;   // of an answer that must be calls
  bool forced_name = false;  // of one function that the request named

  /// A list of calls is shown as JSON that is written anew, as vLLM does; a named call's arguments as they came.
  bool rewrites_arguments() const { return forced.kind == ConstraintSource::Kind::kJsonSchema && !forced_name; }
  bool parses() const { return !format.tool_parser.empty() || !format.reasoning_parser.empty(); }
};

/// The schema of `tools`: a list of {"type": "function", "function": {"name", "parameters"?}}.
void check_tools(const Json& value, const std::string& loc, std::vector<SchemaError>& errors);

/// Reads tools, tool_choice, parallel_tool_calls and include_reasoning of a checked body. Errors: 400 in vLLM's words;
/// a choice that needs what the server lacks. `timing` and `start` of the format are left to the caller.
std::optional<ApiError> read_output_plan(const Json& body, const ApiOptions& options, const Tokenizer& tokenizer,
                                         OutputPlan& out);

/// JSON as Python writes it, with a space behind commas and colons; text that is no JSON stays as it is.
std::string spaced_json(const std::string& text);

/// The tool-call format that a chat template speaks; "" when none is recognised.
std::string guess_tool_parser(std::string_view chat_template);
/// Replaces the tool parser "auto" by the one that suits the template. Errors: parsers that do not exist.
Status choose_parsers(const Tokenizer& tokenizer, ApiOptions& options);

}  // namespace seraph
