#include "engine/text/added_tokens.h"

#include <algorithm>

#include "engine/text/unicode_text.h"

namespace seraph::text {

void AddedTokens::add(AddedToken token) {
  if (token.content.empty() || token.id < 0) return;
  int32_t index = by_content_.find(token.content);
  if (index < 0) {
    index = static_cast<int32_t>(tokens_.size());
    by_content_.insert(token.content, index);
    tokens_.emplace_back();
  }
  if (static_cast<size_t>(token.id) >= by_id_.size()) by_id_.resize(static_cast<size_t>(token.id) + 1, -1);
  by_id_[static_cast<size_t>(token.id)] = index;
  tokens_[static_cast<size_t>(index)] = std::move(token);
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const int32_t index = by_content_.find(content);
  return index >= 0 ? &tokens_[static_cast<size_t>(index)] : nullptr;
}

const AddedToken* AddedTokens::find_id(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= by_id_.size() || by_id_[static_cast<size_t>(id)] < 0) return nullptr;
  return &tokens_[static_cast<size_t>(by_id_[static_cast<size_t>(id)])];
}

void AddedTokens::freeze(const std::function<void(std::string&)>& normalize) {
  raw_ = Matcher();
  normalized_ = Matcher();
  for (size_t i = 0; i < tokens_.size(); ++i) {
    std::string content = tokens_[i].content;
    if (tokens_[i].normalized) normalize(content);
    (tokens_[i].normalized ? normalized_ : raw_).add(content, static_cast<int32_t>(i));
    tokens_[i].shown = std::move(content);
  }
}

void AddedTokens::Matcher::add(std::string_view content, int32_t token) {
  if (token_of.empty()) token_of.push_back(-1);
  if (content.empty()) return;
  can_begin[static_cast<unsigned char>(content[0])] = true;
  int32_t node = 0;
  for (const char c : content) {
    const int32_t byte = static_cast<unsigned char>(c);
    const PairTable::Value* edge = edges.find(node, byte);
    if (edge != nullptr) {
      node = edge->id;
      continue;
    }
    const int32_t fresh = static_cast<int32_t>(token_of.size());
    token_of.push_back(-1);
    edges.insert(node, byte, {0, fresh});
    node = fresh;
  }
  // Two tokens may be one after normalisation: the first one counts.
  if (token_of[static_cast<size_t>(node)] < 0) token_of[static_cast<size_t>(node)] = token;
}

int32_t AddedTokens::Matcher::longest(std::string_view text, size_t pos, size_t& end) const {
  int32_t found = -1, node = 0;
  for (size_t at = pos; at < text.size(); ++at) {
    const PairTable::Value* edge = edges.find(node, static_cast<unsigned char>(text[at]));
    if (edge == nullptr) break;
    node = edge->id;
    if (token_of[static_cast<size_t>(node)] >= 0) {
      found = token_of[static_cast<size_t>(node)];
      end = at + 1;
    }
  }
  return found;
}

void AddedTokens::split(const Matcher& matcher, std::string_view text, bool parse_special,
                        std::vector<TextSegment>& out) const {
  out.clear();
  size_t done = 0, length = 0;
  for (size_t pos = 0; !matcher.empty() && pos < text.size();) {
    if (!matcher.can_begin[static_cast<unsigned char>(text[pos])]) {
      ++pos;
      continue;
    }
    size_t end = pos;
    const int32_t index = matcher.longest(text, pos, end);
    if (index < 0) {
      ++pos;
      continue;
    }
    const size_t match = pos;
    pos = end;  // a match that is refused below is still passed over as a whole
    const AddedToken& token = tokens_[static_cast<size_t>(index)];
    if (token.special && !parse_special) continue;
    if (token.single_word) {
      const bool word_before = match > 0 && is_word_char(decode_utf8(text, previous_char(text, match), length));
      const bool word_after = end < text.size() && is_word_char(decode_utf8(text, end, length));
      if (word_before || word_after) continue;
    }
    size_t begin = std::max(match, done);
    if (token.lstrip) {
      while (begin > done && is_space(decode_utf8(text, previous_char(text, begin), length))) begin -= length;
    }
    if (token.rstrip) {
      while (end < text.size() && is_space(decode_utf8(text, end, length))) end += length;
    }
    if (begin > done) out.push_back({done, begin, -1});
    out.push_back({begin, end, token.id});
    done = std::max(done, end);
  }
  if (done < text.size()) out.push_back({done, text.size(), -1});
}

}  // namespace seraph::text
