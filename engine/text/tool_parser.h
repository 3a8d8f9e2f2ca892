// Tool calls in a model's text. One incremental parser per format serves streams and whole answers alike: the deltas
// of any cutting of the text into pieces, put together, are the same.
//
// The rules of all formats: a block that is a valid call becomes a call; one that is not is content, markers included.
// Content is the text before the first call and the bad blocks after it; other text after a call is dropped. Without
// any call content is the whole text, unchanged. An end marker may be missing or half there at the end of the text.
// Markers within JSON strings are text. Names are not checked against the offered tools. Nothing is ever an error.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/text/text_delta.h"

namespace seraph {

/// One answer's text on its way to deltas. One thread; costs O(1) per byte.
class ToolParser {
 public:
  virtual ~ToolParser() = default;
  /// Appends the deltas that `text` completes.
  virtual void push(std::string_view text, TextDeltas& out) = 0;
  /// The text ends: appends what was held back. Call once.
  virtual void finish(TextDeltas& out) = 0;
};

/// What a format asks of those who use it.
struct ToolFormat {
  std::string_view name;              // as --tool-call-parser names it
  std::string_view what;              // who writes it, for help texts
  bool needs_special_tokens = false;  // markers are special tokens: they must not be skipped in the text
  bool short_call_ids = false;        // call ids are nine letters and digits, which the family's templates demand
};

/// All formats, aliases as rows of their own.
const std::vector<ToolFormat>& tool_formats();
/// Null when there is no such format.
const ToolFormat* find_tool_format(std::string_view name);

/// `tools`: the request's tools (an array or null), whose schemas say how a format without types is read.
/// Error: kInvalidArgument when there is no format of that name.
Result<std::unique_ptr<ToolParser>> make_tool_parser(std::string_view format, ParseTiming timing, const Json& tools);
/// For a text that a grammar holds to the arguments of one function: all of it is that call's.
std::unique_ptr<ToolParser> make_named_call_parser(std::string name);

}  // namespace seraph
