// The grammar of an answer that must be tool calls: each format's own markup where it is one that a grammar can write,
// else a JSON list of calls (or, for a named call, its bare arguments), as vLLM has it. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/structured.h"
#include "engine/base/json.h"
#include "engine/text/tokenizer.h"

namespace seraph {

/// Markers of a tool format that vocabularies tend to hold as tokens of their own.
std::vector<std::string_view> tool_markers(std::string_view format);

struct ForcedCalls {
  std::string_view format;      // a tool parser's name
  const Json* tools = nullptr;  // the request's
  std::string name = {};        // the function to call; "" for any
  bool one_call = false;        // at most one; a named call is always one
  bool new_mistral = false;     // mistral: the vocabulary has [ARGS]
  bool is_list() const;         // the answer is no markup of the format
};
/// The constraint of the whole answer.
ConstraintSource forced_calls_source(const ForcedCalls& calls);

}  // namespace seraph
