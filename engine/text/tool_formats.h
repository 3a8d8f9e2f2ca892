// The parser of each format, for tool_parser.cpp.
#pragma once

#include <memory>
#include <string_view>

#include "engine/base/json.h"
#include "engine/text/tool_parser.h"
#include "engine/text/tool_parts.h"

namespace seraph {

/// A parser that reads byte by byte.
class SteppedToolParser : public ToolParser {
 public:
  explicit SteppedToolParser(ParseTiming timing) : writer_(timing) {}
  void push(std::string_view text, TextDeltas& out) final {
    writer_.set_output(out);
    for (const char byte : text) step(byte);
  }
  void finish(TextDeltas& out) final {
    writer_.set_output(out);
    end();
  }

 protected:
  virtual void step(char byte) = 0;
  virtual void end() = 0;
  /// Text outside of blocks.
  void outside(std::string_view text) {
    if (!writer_.has_calls()) writer_.content(text);
  }

  CallWriter writer_;
};

/// {"name", "arguments"} objects between a start and an end marker.
struct MarkedJsonFormat {
  std::string_view start;
  std::string_view end;
  CallObject::Rules rules;
};
std::unique_ptr<ToolParser> make_marked_json_parser(const MarkedJsonFormat& format, ParseTiming timing);
std::unique_ptr<ToolParser> make_llama_json_parser(ParseTiming timing);
std::unique_ptr<ToolParser> make_mistral_parser(ParseTiming timing);
std::unique_ptr<ToolParser> make_deepseek_parser(ParseTiming timing);
std::unique_ptr<ToolParser> make_qwen_coder_parser(ParseTiming timing, const Json& tools);
std::unique_ptr<ToolParser> make_pythonic_parser();

}  // namespace seraph
