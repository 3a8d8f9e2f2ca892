#include "engine/text/reasoning_parser.h"

namespace seraph {
namespace {

std::vector<std::string_view> end_markers(const ReasoningFormat& format) {
  std::vector<std::string_view> markers{format.close};
  if (!format.also_ends.empty()) markers.push_back(format.also_ends);
  return markers;
}

}  // namespace

const std::vector<ReasoningFormat>& reasoning_formats() {
  static const std::vector<ReasoningFormat> kFormats = {
      {.name = "deepseek_r1", .open = "<think>", .close = "</think>", .always_thinks = true},
      {.name = "qwen3", .open = "<think>", .close = "</think>", .close_alone = true, .also_ends = "<tool_call>"},
      {.name = "glm45", .open = "<think>", .close = "</think>", .close_alone = true, .also_ends = "<tool_call>"},
      {.name = "mistral", .open = "[THINK]", .close = "[/THINK]"},
      {.name = "seed_oss", .open = "<seed:think>", .close = "</seed:think>", .always_thinks = true},
      {.name = "step3", .open = "<think>", .close = "</think>", .always_thinks = true},
      {.name = "minimax_m2", .open = "<think>", .close = "</think>", .always_thinks = true},
  };
  return kFormats;
}

const ReasoningFormat* find_reasoning_format(std::string_view name) {
  for (const ReasoningFormat& format : reasoning_formats()) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

ReasoningStart reasoning_start(const ReasoningFormat& format, std::string_view prompt) {
  const size_t last = prompt.find_last_not_of(" \t\r\n");
  const std::string_view end = prompt.substr(0, last == std::string_view::npos ? 0 : last + 1);
  if (end.ends_with(format.open)) return ReasoningStart::kInside;
  if (end.ends_with(format.close)) return ReasoningStart::kOver;
  return ReasoningStart::kUnknown;
}

ReasoningParser::ReasoningParser(const ReasoningFormat& format, ParseTiming timing, ReasoningStart start)
    : format_(format),
      timing_(timing),
      inside_(start == ReasoningStart::kInside || format.always_thinks),
      ends_(end_markers(format)),
      state_(start == ReasoningStart::kOver ? State::kAnswer : State::kStart) {}

void ReasoningParser::push(std::string_view text, TextDeltas& out) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (state_ == State::kAnswer) {
      append_delta(out, TextDelta::Kind::kContent, text.substr(i));
      return;
    }
    step(text[i], out);
  }
}

void ReasoningParser::finish(TextDeltas& out) {
  const std::string rest = std::exchange(held_, {}) + ends_.take_held();
  const bool thinking = state_ == State::kThinking || (state_ == State::kStart && inside_);
  append_delta(out, thinking ? TextDelta::Kind::kReasoning : TextDelta::Kind::kContent, rest);
}

void ReasoningParser::step(char byte, TextDeltas& out) {
  if (state_ == State::kStart) {
    read_start(byte, out);
  } else {
    read_until_close(byte, out);
  }
}

/// White space, then perhaps the opening tag; both vanish.
void ReasoningParser::read_start(char byte, TextDeltas& out) {
  if (num_matched_ == 0 && is_json_space(byte)) {
    held_.push_back(byte);
    return;
  }
  if (byte == format_.open[num_matched_]) {
    held_.push_back(byte);
    if (++num_matched_ < format_.open.size()) return;
    held_.clear();
    num_matched_ = 0;
    state_ = State::kThinking;
    return;
  }
  // No opening tag: the text begins with what was held.
  const std::string begin = std::exchange(held_, {});
  num_matched_ = 0;
  state_ = State::kUndecided;
  if (inside_) {
    state_ = State::kThinking;
  } else if (!format_.close_alone || timing_ == ParseTiming::kWritten) {
    state_ = State::kAnswer;
    append_delta(out, TextDelta::Kind::kContent, begin + byte);
    return;
  }
  for (const char each : begin) read_until_close(each, out);
  // The beginning of a tag may have been a whole closing one but for this byte.
  if (state_ != State::kAnswer) {
    read_until_close(byte, out);
  } else {
    append_delta(out, TextDelta::Kind::kContent, std::string_view(&byte, 1));
  }
}

void ReasoningParser::read_until_close(char byte, TextDeltas& out) {
  text_.clear();
  const int found = ends_.feed(byte, text_);
  if (state_ == State::kThinking) {
    append_delta(out, TextDelta::Kind::kReasoning, text_);
  } else {
    held_ += text_;
  }
  if (found < 0) return;
  const std::string before = std::exchange(held_, {});
  // A closing tag shows that what came before it was thinking; a call without one shows nothing.
  append_delta(out, found == 0 ? TextDelta::Kind::kReasoning : TextDelta::Kind::kContent, before);
  if (found == 1) append_delta(out, TextDelta::Kind::kContent, format_.also_ends);
  state_ = State::kAnswer;
}

Result<std::unique_ptr<OutputParser>> OutputParser::make(const OutputFormat& format, const Json& tools) {
  std::unique_ptr<ReasoningParser> reasoning;
  if (!format.reasoning_parser.empty()) {
    const ReasoningFormat* found = find_reasoning_format(format.reasoning_parser);
    if (found == nullptr) {
      std::string known;
      for (const ReasoningFormat& row : reasoning_formats()) {
        known += (known.empty() ? "" : ", ") + std::string(row.name);
      }
      return Error{ErrorCode::kInvalidArgument, "there is no reasoning parser \"" + format.reasoning_parser + "\"",
                   "take one of " + known, "reasoning-parser"};
    }
    reasoning = std::make_unique<ReasoningParser>(*found, format.timing, format.start);
  }
  std::unique_ptr<ToolParser> tool_parser;
  if (!format.named_call.empty()) {
    tool_parser = make_named_call_parser(format.named_call);
  } else if (!format.tool_parser.empty()) {
    SERAPH_ASSIGN_OR_RETURN(tool_parser, make_tool_parser(format.tool_parser, format.timing, tools));
  }
  return std::unique_ptr<OutputParser>(new OutputParser(std::move(reasoning), std::move(tool_parser)));
}

void OutputParser::push(std::string_view text, TextDeltas& out) {
  if (reasoning_ == nullptr) {
    if (tools_ != nullptr) {
      tools_->push(text, out);
    } else {
      append_delta(out, TextDelta::Kind::kContent, text);
    }
    return;
  }
  TextDeltas split;
  reasoning_->push(text, split);
  pass(split, out);
}

void OutputParser::finish(TextDeltas& out) {
  if (reasoning_ != nullptr) {
    TextDeltas split;
    reasoning_->finish(split);
    pass(split, out);
  }
  if (tools_ != nullptr) tools_->finish(out);
}

void OutputParser::pass(TextDeltas& deltas, TextDeltas& out) {
  for (const TextDelta& delta : deltas) {
    if (delta.kind == TextDelta::Kind::kContent && tools_ != nullptr) {
      tools_->push(delta.text, out);
    } else {
      append_delta(out, delta.kind, delta.text);
    }
  }
}

}  // namespace seraph
