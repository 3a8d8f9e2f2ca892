// What the tests of the tool and reasoning parsers share: parsing a text in pieces.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "engine/text/reasoning_parser.h"

namespace seraph::test {

/// The deltas of the text cut into pieces of the sizes that `next_size` says, put together. Also checks on the way that
/// call indices count up, that arguments only grow behind their start, and that they are a prefix of valid JSON.
inline ParsedText parse_in_pieces(const OutputFormat& format, const Json& tools, std::string_view text,
                                  const std::function<size_t()>& next_size, bool& sound) {
  auto parser = OutputParser::make(format, tools);
  ParsedText parsed;
  if (!parser.ok()) {
    sound = false;
    return parsed;
  }
  TextDeltas deltas;
  while (!text.empty()) {
    const size_t size = std::min(text.size(), std::max<size_t>(1, next_size()));
    (*parser)->push(text.substr(0, size), deltas);
    text.remove_prefix(size);
  }
  (*parser)->finish(deltas);
  int32_t num_calls = 0;
  for (const TextDelta& delta : deltas) {
    if (delta.kind == TextDelta::Kind::kCallStart) sound = sound && delta.call_index == num_calls++;
    if (delta.kind == TextDelta::Kind::kArguments) sound = sound && delta.call_index == num_calls - 1;
    sound = sound && !delta.text.empty();
  }
  parsed.add(deltas);
  for (const ParsedText::Call& call : parsed.calls) {
    JsonScanner scanner;
    for (const char byte : call.arguments) sound = sound && scanner.feed(byte) != JsonScanner::Step::kBad;
  }
  return parsed;
}

inline ParsedText parse_whole(const OutputFormat& format, const Json& tools, std::string_view text) {
  bool sound = true;
  return parse_in_pieces(
      format, tools, text, [&] { return text.size(); }, sound);
}

}  // namespace seraph::test
