#include "daemon/api/choice_text.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace seraph {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Bytes at the end of `text` that begin `stop`, the whole of it excluded: the prefix function of Knuth, Morris and
/// Pratt, so that the time grows with the text and not with its square. `borders` is scratch.
size_t overlap(std::string_view text, std::string_view stop, std::vector<size_t>& borders) {
  const size_t longest = std::min(text.size(), stop.size() - 1);
  borders.assign(longest, 0);
  for (size_t i = 1, length = 0; i < longest; ++i) {
    while (length > 0 && stop[i] != stop[length]) length = borders[length - 1];
    if (stop[i] == stop[length]) ++length;
    borders[i] = length;
  }
  size_t length = 0;
  for (const char c : text.substr(text.size() - longest)) {
    while (length > 0 && stop[length] != c) length = borders[length - 1];
    if (stop[length] == c) ++length;
  }
  return length;
}

}  // namespace

int ChoiceText::push(TokenId id, std::string& out) {
  ++num_tokens_;
  piece_.clear();
  detokenizer_.push(id, piece_);
  return accept(out);
}

int ChoiceText::finish(std::string& out) {
  piece_.clear();
  detokenizer_.finish(piece_);
  const int stop = accept(out);
  if (stop < 0) out += held_;
  held_.clear();
  return stop;
}

/// Takes piece_ as new text.
int ChoiceText::accept(std::string& out) {
  int32_t at_end = 0;
  std::string_view fresh = piece_;
  while (fresh.ends_with(kReplacement)) {
    fresh.remove_suffix(kReplacement.size());
    ++at_end;
  }
  if (fresh.empty()) {
    num_replacements_ += at_end;
    return -1;
  }
  if (rules_.stop->empty() && num_replacements_ == 0) {
    out += fresh;
    num_replacements_ = at_end;
    return -1;
  }
  const size_t before = held_.size();
  for (; num_replacements_ > 0; --num_replacements_) held_ += kReplacement;
  held_ += fresh;
  num_replacements_ = at_end;
  if (num_tokens_ > rules_.tokens_min) {
    for (size_t i = 0; i < rules_.stop->size(); ++i) {
      const std::string& stop = (*rules_.stop)[i];
      const size_t from = before + 1 > stop.size() ? before + 1 - stop.size() : 0;
      const size_t at = held_.find(stop, from);
      if (at == std::string::npos) continue;
      out.append(held_, 0, rules_.include_stop ? at + stop.size() : at);
      held_.clear();
      return static_cast<int>(i);
    }
  }
  size_t keep = 0;
  for (const std::string& stop : *rules_.stop) keep = std::max(keep, overlap(held_, stop, borders_));
  out.append(held_, 0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return -1;
}

}  // namespace seraph
