// What a model's text turns into on its way to a client: content, reasoning, tool calls, in the order of writing.
// Values, no thread rules.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace seraph {

struct TextDelta {
  enum class Kind {
    kContent,    // text of the answer
    kReasoning,  // text of the thinking before it
    kCallStart,  // a tool call begins; text is the whole name
    kArguments,  // the next piece of call_index's arguments, JSON text
  };
  Kind kind = Kind::kContent;
  std::string text;
  int32_t call_index = -1;  // of kCallStart and kArguments: 0, 1, ... in the order in which calls begin

  friend bool operator==(const TextDelta&, const TextDelta&) = default;
};

using TextDeltas = std::vector<TextDelta>;

/// Appends to the last delta when it is of the same kind and call, else adds one. Empty text adds nothing.
void append_delta(TextDeltas& deltas, TextDelta::Kind kind, std::string_view text, int32_t call_index = -1);

/// Deltas of a whole text, put together.
struct ParsedText {
  struct Call {
    std::string name;
    std::string arguments;  // JSON text; of a call that broke off in a stream only its beginning
    friend bool operator==(const Call&, const Call&) = default;
  };
  std::string content;
  std::string reasoning;
  std::vector<Call> calls;

  void add(const TextDeltas& deltas);
  friend bool operator==(const ParsedText&, const ParsedText&) = default;
};

/// When a call is reported. Text in one piece and text in many give the same deltas, put together, in either.
enum class ParseTiming {
  kDecided,  // when its block has proven good: a block that breaks off is content. For answers in one piece.
  kWritten,  // as it is written: nothing is taken back, so a call that breaks off keeps its name and the arguments so
             // far, always a prefix of valid JSON. For streams.
};

}  // namespace seraph
