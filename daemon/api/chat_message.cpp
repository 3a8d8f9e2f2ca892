#include "daemon/api/chat_message.h"

namespace seraph {
namespace {

void append_member(std::string& out, std::string_view name, std::string_view text) {
  if (!out.empty() && out.back() != '{') out += ',';
  out += '"';
  out += name;
  out += "\":";
  append_json_string(out, text);
}

/// Two names for one text: DeepSeek's and older vLLM's, and newer vLLM's.
void append_reasoning(std::string& out, std::string_view text) {
  append_member(out, "reasoning_content", text);
  append_member(out, "reasoning", text);
}

std::string joined(std::span<const TextDelta> deltas, TextDelta::Kind kind) {
  std::string text;
  for (const TextDelta& delta : deltas) {
    if (delta.kind == kind) text += delta.text;
  }
  return text;
}

/// One entry for each call that the deltas touch.
void append_call_deltas(std::string& out, const ParsedDeltas& parsed) {
  std::string calls;
  size_t at = 0;
  while (at < parsed.deltas.size()) {
    const int32_t index = parsed.deltas[at].call_index;
    if (index < 0) {
      ++at;
      continue;
    }
    const bool starts = parsed.deltas[at].kind == TextDelta::Kind::kCallStart;
    calls += calls.empty() ? "{\"index\":" : ",{\"index\":";
    calls += std::to_string(index);
    std::string name;
    if (starts) {
      calls += ",\"id\":";
      append_json_string(calls, parsed.call_ids[static_cast<size_t>(index)]);
      calls += ",\"type\":\"function\"";
      name = parsed.deltas[at++].text;
    }
    std::string arguments;
    for (; at < parsed.deltas.size() && parsed.deltas[at].kind != TextDelta::Kind::kCallStart; ++at) {
      if (parsed.deltas[at].call_index == index) arguments += parsed.deltas[at].text;
    }
    calls += ",\"function\":{";
    if (starts) append_member(calls, "name", name);
    append_member(calls, "arguments", arguments);
    calls += "}}";
  }
  if (calls.empty()) return;
  if (out.back() != '{') out += ',';
  out += "\"tool_calls\":[" + calls + ']';
}

}  // namespace

void append_parsed_delta(std::string& out, const ParsedDeltas& parsed) {
  const std::string reasoning = joined(parsed.deltas, TextDelta::Kind::kReasoning);
  const std::string content = joined(parsed.deltas, TextDelta::Kind::kContent);
  if (!reasoning.empty()) append_reasoning(out, reasoning);
  if (!content.empty()) append_member(out, "content", content);
  append_call_deltas(out, parsed);
}

void append_message(std::string& out, const Choice& choice, std::string_view echo_text) {
  const bool parsed = choice.parsed.has_value();
  const std::string content = std::string(echo_text) + (parsed ? choice.parsed->content : choice.text);
  const bool has_calls = parsed && !choice.parsed->calls.empty();
  const bool has_reasoning = parsed && !choice.parsed->reasoning.empty();
  // What stands between thinking or nothing and a call is mostly a line break: not worth an answer's text.
  const bool blank = content.find_first_not_of(" \t\r\n") == std::string::npos;
  if (blank && !choice.calls_forced && (has_calls || (has_reasoning && content.empty()))) {
    out += ",\"content\":null";
  } else {
    append_member(out, "content", content);
  }
  out += ",\"refusal\":null,\"annotations\":null,\"audio\":null,\"function_call\":null";
  if (has_calls) {
    out += ",\"tool_calls\":[";
    for (size_t i = 0; i < choice.parsed->calls.size(); ++i) {
      out += i == 0 ? "{\"id\":" : ",{\"id\":";
      append_json_string(out, choice.call_ids[i]);
      out += ",\"type\":\"function\",\"function\":{";
      append_member(out, "name", choice.parsed->calls[i].name);
      append_member(out, "arguments", choice.parsed->calls[i].arguments);
      out += "}}";
    }
    out += ']';
  }
  if (has_reasoning) {
    append_reasoning(out, choice.parsed->reasoning);
  } else {
    out += ",\"reasoning\":null";
  }
}

}  // namespace seraph
