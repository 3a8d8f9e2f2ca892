// The little Python that pythonic tool calls are written in: a list of calls whose keyword arguments are literals.
// Pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace seraph {

struct PythonCall {
  std::string name;       // may be dotted
  std::string arguments;  // JSON text of an object
};

/// Reads "[f(a=1), g()]" off the front of `text`, white space in front included. Literals are strings (joined when
/// adjacent; no f-strings, no bytes), numbers, True, False, None and JSON's spellings of these, lists, tuples and
/// dicts with string keys. Nothing when the text begins otherwise, with positional or repeated arguments or values that
/// JSON cannot say; `text` is then unspecified. An empty list is no list of calls.
std::optional<std::vector<PythonCall>> parse_python_calls(std::string_view& text);

/// Drops white space off the front.
void python_skip_space(std::string_view& text);

}  // namespace seraph
