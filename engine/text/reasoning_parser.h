// The thinking in front of an answer: <think> ... </think>. An incremental splitter for streams and whole answers, and
// the pair of splitter and tool parser that a whole answer passes through.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/text/text_delta.h"
#include "engine/text/tool_parser.h"
#include "engine/text/tool_parts.h"

namespace seraph {

/// How a family marks its thinking.
struct ReasoningFormat {
  std::string_view name;  // as --reasoning-parser names it
  std::string_view open;
  std::string_view close;
  bool always_thinks = false;       // the text begins within the thinking, with or without the opening tag
  bool close_alone = false;         // a closing tag without an opening one ends a thinking that was there all along
  std::string_view also_ends = {};  // a marker that ends the thinking and belongs to the answer; "" for none
};

const std::vector<ReasoningFormat>& reasoning_formats();
/// Null when there is no such format.
const ReasoningFormat* find_reasoning_format(std::string_view name);

/// Where the text begins, as the prompt's end tells (reasoning_start).
enum class ReasoningStart {
  kUnknown,  // the text itself may open its thinking
  kInside,   // the prompt has opened it
  kOver,     // the prompt has closed it: all is answer
};

/// A prompt that ends with an opening tag has begun the thinking, one that ends with a closing tag has ended it; white
/// space behind the tag does not count.
ReasoningStart reasoning_start(const ReasoningFormat& format, std::string_view prompt);

/// One answer's text. Tags vanish, white space behind them is kept. One thread; O(1) per byte.
class ReasoningParser {
 public:
  /// kWritten: text that neither opens its thinking nor began within it is answer at once, though a closing tag without
  /// an opening one may follow. kDecided waits for that.
  ReasoningParser(const ReasoningFormat& format, ParseTiming timing, ReasoningStart start);
  /// Appends kReasoning and kContent deltas.
  void push(std::string_view text, TextDeltas& out);
  void finish(TextDeltas& out);

 private:
  enum class State { kStart, kUndecided, kThinking, kAnswer };

  void step(char byte, TextDeltas& out);
  void read_start(char byte, TextDeltas& out);
  void read_until_close(char byte, TextDeltas& out);

  const ReasoningFormat format_;
  const ParseTiming timing_;
  const bool inside_;
  MarkerFinder ends_;
  State state_;
  std::string held_;        // kStart: white space and the opening tag's beginning; kUndecided: the text so far
  std::string text_;        // scratch
  size_t num_matched_ = 0;  // bytes of the opening tag at held_'s end
};

struct OutputFormat {
  std::string tool_parser;       // "" for none
  std::string reasoning_parser;  // "" for none
  std::string named_call = {};   // not "": the answer is this function's arguments, whatever the tool parser
  ParseTiming timing = ParseTiming::kDecided;
  ReasoningStart start = ReasoningStart::kUnknown;
};

/// The whole way: thinking off the front, tool calls out of the rest.
class OutputParser {
 public:
  /// Error: kInvalidArgument when a parser's name is unknown.
  static Result<std::unique_ptr<OutputParser>> make(const OutputFormat& format, const Json& tools);

  void push(std::string_view text, TextDeltas& out);
  void finish(TextDeltas& out);

 private:
  OutputParser(std::unique_ptr<ReasoningParser> reasoning, std::unique_ptr<ToolParser> tools)
      : reasoning_(std::move(reasoning)), tools_(std::move(tools)) {}
  void pass(TextDeltas& deltas, TextDeltas& out);

  const std::unique_ptr<ReasoningParser> reasoning_;  // may be null
  const std::unique_ptr<ToolParser> tools_;           // may be null
};

}  // namespace seraph
