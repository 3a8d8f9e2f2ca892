#include "daemon/api/logprobs.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "engine/base/json.h"

namespace seraph {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void append_bytes(std::string& out, std::string_view text) {
  out += '[';
  for (size_t i = 0; i < text.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(static_cast<unsigned>(static_cast<unsigned char>(text[i])));
  }
  out += ']';
}

/// `spelled` is the text whose bytes are shown; null: none are.
void append_chat_token(std::string& out, const std::string& text, float logprob, const std::string* spelled) {
  out += "{\"token\":";
  append_json_string(out, text);
  out += ",\"logprob\":";
  append_logprob(out, logprob);
  out += ",\"bytes\":";
  if (spelled == nullptr) {
    out += "null";
  } else {
    append_bytes(out, *spelled);
  }
}

void append_ranked(std::string& out, const TokenLogprob& entry) {
  out += "{\"token_id\":" + std::to_string(entry.id) + ",\"logprob\":";
  append_logprob(out, entry.logprob);
  out += ",\"rank\":" + std::to_string(entry.rank);
}

}  // namespace

std::string TokenTexts::text(TokenId id) const {
  std::string alone = tokenizer_.decode(std::span(&id, 1), false);
  if (!alone.ends_with(kReplacement)) return alone;
  std::vector<TokenId> ids;
  for (size_t count = 1; count <= context_.size(); ++count) {
    const auto begin = context_.end() - static_cast<std::ptrdiff_t>(count);
    ids.assign(begin, context_.end());
    ids.push_back(id);
    const std::string with_context = tokenizer_.decode(ids, false);
    if (with_context.ends_with(kReplacement)) continue;
    // Context that is whole characters by itself is not this token's text.
    size_t clean = count;
    while (clean > 0 && tokenizer_.decode(std::span(&*(begin + static_cast<std::ptrdiff_t>(clean) - 1), 1), false)
                            .ends_with(kReplacement)) {
      --clean;
    }
    const std::string prefix = tokenizer_.decode(std::span(ids.data(), clean), false);
    return with_context.starts_with(prefix) ? with_context.substr(prefix.size()) : with_context;
  }
  return {};
}

void TokenTexts::advance(TokenId id) {
  if (context_.size() == kContextMax) context_.erase(context_.begin());
  context_.push_back(id);
}

void append_logprob(std::string& out, float logprob) {
  append_json_double(out, std::isfinite(logprob) ? std::max(static_cast<double>(logprob), -9999.0) : -9999.0);
}

int64_t count_characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

void LogprobColumns::add(const PositionLogprobs& position) {
  if (position.empty()) return;
  if (shape_ == Shape::kCompletions) {
    add_completion(position, texts_);
  } else if (shape_ == Shape::kTokens) {
    add_tokens(position);
  } else {
    add_chat(position);
  }
  texts_.advance(position.front().id);
}

/// The chosen token stands in front of the list too, which has one entry at least.
void LogprobColumns::add_tokens(const PositionLogprobs& position) {
  if (!entries_.empty()) entries_ += ',';
  append_ranked(entries_, position.front());
  entries_ += ",\"top_logprobs\":[";
  for (size_t i = 0; i < position.size() && static_cast<int32_t>(i) < std::max(top_, 1); ++i) {
    if (i > 0 && position[i].id == position.front().id) continue;
    if (i > 0) entries_ += ',';
    append_ranked(entries_, position[i]);
    entries_ += '}';
  }
  entries_ += "]}";
}

/// The chosen token's bytes are those of its text, also where it is shown as an id.
void LogprobColumns::add_chosen(const TokenLogprob& chosen, bool with_bytes) {
  if (!entries_.empty()) entries_ += ',';
  const std::string spelled = texts_.text(chosen.id);
  append_chat_token(entries_, texts_.shown(chosen.id), chosen.logprob, with_bytes ? &spelled : nullptr);
}

/// At most top_ entries; the first one counts whatever its id, later ones are left out when they are `but`. Their bytes
/// spell the id where ids are shown.
void LogprobColumns::add_listed(std::span<const TokenLogprob> listed, TokenId but) {
  entries_ += ",\"top_logprobs\":[";
  for (size_t i = 0; i < listed.size() && static_cast<int32_t>(i) < top_; ++i) {
    if (i > 0 && listed[i].id == but) continue;
    if (i > 0) entries_ += ',';
    const std::string shown = texts_.shown(listed[i].id);
    append_chat_token(entries_, shown, listed[i].logprob, &shown);
    entries_ += '}';
  }
  entries_ += "]}";
}

/// The chosen token is the first one listed; ids that were asked for may name it again.
void LogprobColumns::add_chat(const PositionLogprobs& position) {
  add_chosen(position.front(), true);
  add_listed(position, position.front().id);
}

void LogprobColumns::add_of_beam(const PositionLogprobs& position) {
  if (shape_ != Shape::kChat || position.empty()) return add(position);
  add_chosen(position.front(), false);
  PositionLogprobs best = position;
  std::stable_sort(best.begin(), best.end(), [](const auto& a, const auto& b) { return a.rank < b.rank; });
  add_listed(best, -1);
  texts_.advance(position.front().id);
}

void LogprobColumns::add_completion(const PositionLogprobs& position, const TokenTexts& texts) {
  const bool first = lengths_.empty();
  if (!first) {
    logprobs_ += ',';
    tokens_ += ',';
    tops_ += ',';
  }
  append_logprob(logprobs_, position.front().logprob);
  const std::string shown = texts.shown(position.front().id);
  append_json_string(tokens_, shown);
  lengths_.push_back(count_characters(shown));
  // Tokens with the same text share a key: the last value counts, at the first one's place.
  std::vector<std::pair<std::string, float>> members;
  for (size_t i = 0; i < position.size() && static_cast<int32_t>(i) <= top_; ++i) {
    std::string name = i == 0 ? shown : texts.shown(position[i].id);
    const auto same = std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.first == name; });
    if (same != members.end()) {
      same->second = position[i].logprob;
    } else {
      members.emplace_back(std::move(name), position[i].logprob);
    }
  }
  tops_ += '{';
  for (size_t i = 0; i < members.size(); ++i) {
    if (i > 0) tops_ += ',';
    append_json_string(tops_, members[i].first);
    tops_ += ':';
    append_logprob(tops_, members[i].second);
  }
  tops_ += '}';
}

void LogprobColumns::add_prompt(const std::vector<TokenId>& ids, const std::vector<PositionLogprobs>& positions,
                                const Tokenizer& tokenizer) {
  if (ids.empty()) return;
  // The first token has no probability; its text is what it decodes to alone.
  const TokenId first = ids.front();
  TokenTexts of_prompt = texts_;
  std::string shown = texts_.shown(first);
  if (shown.empty()) shown = tokenizer.decode(std::span(&first, 1), false);
  logprobs_ = "null";
  tops_ = "null";
  append_json_string(tokens_, shown);
  lengths_.push_back(count_characters(shown));
  for (size_t i = 1; i < positions.size(); ++i) {
    if (positions[i].empty()) continue;
    add_completion(positions[i], of_prompt);
    of_prompt.advance(positions[i].front().id);
  }
}

void LogprobColumns::take(std::string& out, int64_t text_begin) {
  if (shape_ != Shape::kCompletions) {
    out += shape_ == Shape::kList ? "[" : "{\"content\":[";
    out += entries_;
    out += shape_ == Shape::kList ? "]" : "]}";
    entries_.clear();
    return;
  }
  out += "{\"text_offset\":[";
  for (size_t i = 0; i < lengths_.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(text_begin);
    text_begin += lengths_[i];
  }
  out += "],\"token_logprobs\":[" + logprobs_ + "],\"tokens\":[" + tokens_ + "],\"top_logprobs\":[" + tops_ + "]}";
  logprobs_.clear();
  tokens_.clear();
  tops_.clear();
  lengths_.clear();
}

void append_prompt_logprobs(std::string& out, const std::vector<PositionLogprobs>& positions,
                            const Tokenizer& tokenizer) {
  TokenTexts texts(tokenizer, false);
  out += '[';
  for (size_t i = 0; i < positions.size(); ++i) {
    if (i > 0) out += ',';
    if (positions[i].empty()) {
      out += "null";
      continue;
    }
    out += '{';
    for (size_t k = 0; k < positions[i].size(); ++k) {
      const TokenLogprob& entry = positions[i][k];
      out += k > 0 ? ",\"" : "\"";
      out += std::to_string(entry.id) + "\":{\"logprob\":";
      append_logprob(out, entry.logprob);
      out += ",\"rank\":" + std::to_string(entry.rank) + ",\"decoded_token\":";
      append_json_string(out, texts.text(entry.id));
      out += '}';
    }
    out += '}';
    texts.advance(positions[i].front().id);
  }
  out += ']';
}

}  // namespace seraph
