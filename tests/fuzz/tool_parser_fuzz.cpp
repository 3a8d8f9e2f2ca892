// Tool calls and reasoning in any text: never a crash, the same deltas for every cutting, valid JSON in decided calls.
// The first byte chooses the formats, the second the size of the pieces.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/text/json_scanner.h"
#include "engine/text/reasoning_parser.h"

namespace {

seraph::ParsedText parse(const seraph::OutputFormat& format, const seraph::Json& tools, std::string_view text,
                         size_t piece_bytes) {
  auto parser = seraph::OutputParser::make(format, tools).value();
  seraph::TextDeltas deltas;
  for (size_t at = 0; at < text.size(); at += piece_bytes) parser->push(text.substr(at, piece_bytes), deltas);
  parser->finish(deltas);
  seraph::ParsedText parsed;
  parsed.add(deltas);
  return parsed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  static constexpr const char* kTools[] = {"hermes",      "llama3_json", "mistral",     "internlm",
                                           "qwen3_coder", "pythonic",    "deepseek_v3", ""};
  static constexpr const char* kReasoning[] = {"", "qwen3", "deepseek_r1", "mistral"};
  const auto tools = seraph::Json::parse(
      R"([{"type":"function","function":{"name":"f","parameters":{"properties":{"a":{"type":"integer"},
          "b":{"type":["string","null"]},"c":{"anyOf":[{"type":"boolean"}]}}}}}])");
  seraph::OutputFormat format;
  format.tool_parser = kTools[data[0] & 7];
  format.reasoning_parser = kReasoning[data[0] >> 4 & 3];
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  for (const auto timing : {seraph::ParseTiming::kDecided, seraph::ParseTiming::kWritten}) {
    format.timing = timing;
    const seraph::ParsedText whole = parse(format, *tools, text, text.size() + 1);
    if (parse(format, *tools, text, 1 + data[1] % 16) != whole) std::abort();
    for (const auto& call : whole.calls) {
      if (timing == seraph::ParseTiming::kDecided && !seraph::is_json_value(call.arguments)) std::abort();
    }
  }
  return 0;
}
