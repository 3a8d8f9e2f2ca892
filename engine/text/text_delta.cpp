#include "engine/text/text_delta.h"

namespace seraph {

void append_delta(TextDeltas& deltas, TextDelta::Kind kind, std::string_view text, int32_t call_index) {
  if (text.empty()) return;
  if (kind != TextDelta::Kind::kCallStart && !deltas.empty() && deltas.back().kind == kind &&
      deltas.back().call_index == call_index) {
    deltas.back().text.append(text);
  } else {
    deltas.push_back(TextDelta{kind, std::string(text), call_index});
  }
}

void ParsedText::add(const TextDeltas& deltas) {
  for (const TextDelta& delta : deltas) {
    switch (delta.kind) {
      case TextDelta::Kind::kContent:
        content += delta.text;
        break;
      case TextDelta::Kind::kReasoning:
        reasoning += delta.text;
        break;
      case TextDelta::Kind::kCallStart:
        calls.push_back(Call{delta.text, {}});
        break;
      case TextDelta::Kind::kArguments:
        calls[static_cast<size_t>(delta.call_index)].arguments += delta.text;
        break;
    }
  }
}

}  // namespace seraph
