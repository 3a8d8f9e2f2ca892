#include "daemon/api/item_format.h"

#include <algorithm>
#include <utility>

namespace seraph {

bool ItemFormat::has_calls() const {
  return std::any_of(items_.begin(), items_.end(),
                     [](const AnswerItem& item) { return item.kind == AnswerItem::Kind::kCall; });
}

void ItemFormat::append_delta(std::string& out, const Delta& delta) {
  take_logprobs(delta.logprobs);
  raw_text_ += delta.text;
  raw_ids_.insert(raw_ids_.end(), delta.ids.begin(), delta.ids.end());
  if (delta.parsed == nullptr) {
    append_text(out, delta.text);
  } else {
    for (const TextDelta& piece : delta.parsed->deltas) append_piece(out, piece, delta.parsed->call_ids);
  }
  if (delta.finish_reason == nullptr) return;
  cut_ = std::string_view(delta.finish_reason) == "length";
  stop_reason_ = delta.stop_reason;
}

void ItemFormat::end_stream(std::string& out, const Usage& usage) {
  finish(out);
  write_end(out, usage);
}

std::string ItemFormat::body(std::span<const Choice> choices, const Usage& usage) {
  const Choice& choice = choices.front();
  std::string events;  // of a stream that nobody asked for
  TextDeltas pieces;
  if (choice.parsed) {
    seraph::append_delta(pieces, TextDelta::Kind::kReasoning, choice.parsed->reasoning);
    seraph::append_delta(pieces, TextDelta::Kind::kContent, choice.parsed->content);
    for (size_t i = 0; i < choice.parsed->calls.size(); ++i) {
      const auto index = static_cast<int32_t>(i);
      seraph::append_delta(pieces, TextDelta::Kind::kCallStart, choice.parsed->calls[i].name, index);
      seraph::append_delta(pieces, TextDelta::Kind::kArguments, choice.parsed->calls[i].arguments, index);
    }
  }
  const ParsedDeltas parsed{pieces, choice.call_ids};
  append_delta(events, {.text = choice.text,
                        .parsed = choice.parsed ? &parsed : nullptr,
                        .logprobs = choice.logprobs,
                        .ids = choice.ids,
                        .finish_reason = choice.finish_reason,
                        .stop_reason = choice.stop_reason});
  finish(events);
  return whole(usage);
}

void ItemFormat::append_piece(std::string& out, const TextDelta& piece, std::span<const std::string> call_ids) {
  switch (piece.kind) {
    case TextDelta::Kind::kReasoning:
      if (!is_open(AnswerItem::Kind::kThinking)) open(out, {.kind = AnswerItem::Kind::kThinking});
      return grow(out, piece.text);
    case TextDelta::Kind::kContent:
      return append_text(out, piece.text);
    case TextDelta::Kind::kCallStart:
      held_.clear();
      return open(out, {.kind = AnswerItem::Kind::kCall,
                        .call_id = call_ids[static_cast<size_t>(piece.call_index)],
                        .name = piece.text});
    case TextDelta::Kind::kArguments:
      return grow(out, piece.text);
  }
}

/// White space alone may turn out to stand before a call: it waits for text, and vanishes in front of a call.
void ItemFormat::append_text(std::string& out, std::string_view text) {
  if (is_open(AnswerItem::Kind::kText)) return grow(out, text);
  held_ += text;
  if (held_.find_first_not_of(" \t\r\n") != std::string::npos) flush_held(out);
}

void ItemFormat::flush_held(std::string& out) {
  const std::string text = std::exchange(held_, {});
  open(out, {.kind = AnswerItem::Kind::kText});
  grow(out, text);
}

void ItemFormat::grow(std::string& out, std::string_view text) {
  if (text.empty()) return;
  AnswerItem& item = items_.back();
  item.text += text;
  if (item.kind != AnswerItem::Kind::kText) return write_text(out, text, {});
  write_text(out, text, logprobs_);
  if (!item.logprobs.empty() && !logprobs_.empty()) item.logprobs += ',';
  item.logprobs += std::exchange(logprobs_, {});
}

void ItemFormat::open(std::string& out, AnswerItem item) {
  close(out);
  items_.push_back(std::move(item));
  open_ = true;
  write_open(out, items_.back());
}

void ItemFormat::close(std::string& out) {
  if (!open_) return;
  open_ = false;
  write_close(out, items_.back());
}

/// "[...]" or "null".
void ItemFormat::take_logprobs(std::string_view list) {
  if (list.size() <= 2 || list.front() != '[') return;
  if (!logprobs_.empty()) logprobs_ += ',';
  logprobs_ += list.substr(1, list.size() - 2);
}

/// An answer of nothing is an empty text, unless it had to be calls.
void ItemFormat::finish(std::string& out) {
  const bool forced = facts_.request->output.forced.given();
  if ((items_.empty() && !forced) || (!held_.empty() && !has_calls())) flush_held(out);
  close(out);
}

}  // namespace seraph
