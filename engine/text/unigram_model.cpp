#include <algorithm>
#include <limits>

#include "engine/text/subword_model.h"
#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

constexpr double kUnknownPenalty = 10.0;  // an unknown character scores this much below the worst piece

}  // namespace

UnigramModel::UnigramModel(const Vocabulary& vocabulary, std::vector<double> scores, int32_t unk_id, bool byte_fallback)
    : vocabulary_(vocabulary), scores_(std::move(scores)), unk_id_(unk_id), byte_fallback_(byte_fallback) {
  unk_score_ = scores_.empty() ? -kUnknownPenalty : *std::min_element(scores_.begin(), scores_.end()) - kUnknownPenalty;
  byte_ids_ = find_byte_tokens(vocabulary_);
  id_of_node_.push_back(-1);
  for (int32_t id = 0; id < vocabulary_.size(); ++id) {
    int32_t node = 0;
    for (const char c : vocabulary_.piece(id)) {
      const int32_t byte = static_cast<unsigned char>(c);
      const PairTable::Value* edge = edges_.find(node, byte);
      if (edge == nullptr) {
        const int32_t fresh = static_cast<int32_t>(id_of_node_.size());
        id_of_node_.push_back(-1);
        edges_.insert(node, byte, {0, fresh});
        node = fresh;
      } else {
        node = edge->id;
      }
    }
    if (node != 0) id_of_node_[static_cast<size_t>(node)] = id;
  }
}

void UnigramModel::encode(std::string_view piece, ModelScratch& scratch, std::vector<int32_t>& out) const {
  const size_t size = piece.size();
  std::vector<double>& scores = scratch.path_scores;
  std::vector<int32_t>& starts = scratch.path_starts;
  std::vector<int32_t>& ids = scratch.path_ids;
  scores.assign(size + 1, 0.0);
  starts.assign(size + 1, -1);
  ids.assign(size + 1, -1);
  const auto offer = [&](size_t begin, size_t end, double score, int32_t id) {
    if (starts[end] >= 0 && score <= scores[end]) return;
    scores[end] = score;
    starts[end] = static_cast<int32_t>(begin);
    ids[end] = id;
  };
  for (size_t begin = 0; begin < size;) {
    const size_t length = utf8_length(static_cast<unsigned char>(piece[begin]));
    bool has_single = false;
    int32_t node = 0;
    for (size_t end = begin; end < size;) {
      const PairTable::Value* edge = edges_.find(node, static_cast<unsigned char>(piece[end]));
      if (edge == nullptr) break;
      node = edge->id;
      ++end;
      const int32_t id = id_of_node_[static_cast<size_t>(node)];
      if (id < 0) continue;
      offer(begin, end, scores[begin] + scores_[static_cast<size_t>(id)], id);
      if (end - begin == length) has_single = true;
    }
    if (!has_single) offer(begin, begin + length, scores[begin] + unk_score_, -1);
    begin += length;
  }
  // Walk the best path back; neighbouring unknown characters become one token.
  std::vector<std::string_view> tokens;
  size_t unk_end = 0;
  for (size_t end = size; end > 0;) {
    const size_t begin = static_cast<size_t>(starts[end]);
    const bool unknown = ids[end] < 0 || ids[end] == unk_id_;
    if (unknown && unk_end == 0) unk_end = end;
    if (!unknown) {
      if (unk_end != 0) tokens.push_back(piece.substr(end, unk_end - end));
      unk_end = 0;
      tokens.push_back(piece.substr(begin, end - begin));
    }
    end = begin;
  }
  if (unk_end != 0) tokens.push_back(piece.substr(0, unk_end));
  for (auto token = tokens.rbegin(); token != tokens.rend(); ++token) append_token(*token, out);
}

void UnigramModel::append_token(std::string_view token, std::vector<int32_t>& out) const {
  const int32_t id = vocabulary_.find(token);
  if (id >= 0) {
    out.push_back(id);
    return;
  }
  const auto has_byte_token = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)] >= 0; };
  if (byte_fallback_ && std::all_of(token.begin(), token.end(), has_byte_token)) {
    for (const char byte : token) out.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
  } else if (unk_id_ >= 0) {
    out.push_back(unk_id_);
  }
}

void WordLevelModel::encode(std::string_view piece, ModelScratch&, std::vector<int32_t>& out) const {
  const int32_t id = vocabulary_.find(piece);
  if (id >= 0 || unk_id_ >= 0) out.push_back(id >= 0 ? id : unk_id_);
}

}  // namespace seraph::text
