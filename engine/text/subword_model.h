// The models of tokenizer.json: a pre-token in, ids out. Models are immutable; what an encode call needs to write
// lies in a ModelScratch that belongs to that call.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/text/flat_table.h"

namespace seraph::text {

/// The largest id that a vocabulary may use: beyond every published one, and small enough for dense tables.
inline constexpr int64_t kTokenIdMax = 16'777'215;

/// Spellings and ids of the model's own vocabulary (added tokens are kept elsewhere).
class Vocabulary {
 public:
  void reserve(size_t count, size_t bytes) {
    table_.reserve(count, bytes);
    entry_of_id_.reserve(count);
  }
  /// False when the id already has another spelling. REQUIRES: 0 <= id <= kTokenIdMax.
  bool insert(std::string_view piece, int32_t id);
  /// Gives an existing id another spelling; the old one is no longer found.
  void rename(int32_t id, std::string_view piece);
  int32_t find(std::string_view piece) const { return table_.find(piece); }
  /// "" for an id without entry.
  std::string_view piece(int32_t id) const {
    if (!has(id)) return {};
    return table_.key(static_cast<size_t>(entry_of_id_[static_cast<size_t>(id)]));
  }
  bool has(int32_t id) const {
    return id >= 0 && static_cast<size_t>(id) < entry_of_id_.size() && entry_of_id_[static_cast<size_t>(id)] >= 0;
  }
  /// One more than the largest id.
  int32_t size() const { return static_cast<int32_t>(entry_of_id_.size()); }

 private:
  StringTable table_;
  std::vector<int32_t> entry_of_id_;
};

struct BpeMergeCandidate {
  uint32_t rank;
  int32_t position;  // of the left symbol
  int32_t left, right, merged;
};

/// Buffers and the word cache of one encode call at a time; reused, because pages of fresh memory cost more than words.
struct ModelScratch {
  struct CachedWord {
    uint64_t hash = 0;
    uint32_t word_begin = 0, ids_begin = 0;
    uint16_t word_length = 0, num_ids = 0;  // word_length 0: free
  };
  std::vector<CachedWord> cache;
  std::string cached_words;
  std::vector<int32_t> cached_ids;

  std::vector<int32_t> symbols, next, previous;
  std::vector<uint32_t> ranks;
  std::vector<BpeMergeCandidate> heap;
  std::string buffer;

  std::vector<double> path_scores;
  std::vector<int32_t> path_starts, path_ids;
};

class SubwordModel {
 public:
  virtual ~SubwordModel() = default;
  /// Appends the ids of a pre-token. REQUIRES: valid UTF-8, or raw bytes for a byte-level model; not empty.
  virtual void encode(std::string_view piece, ModelScratch& scratch, std::vector<int32_t>& out) const = 0;
};

/// BPE's settings in tokenizer.json's words.
struct BpeOptions {
  bool byte_level = false;  // pre-tokens are raw bytes, the vocabulary spells them with printable characters
  bool byte_fallback = false;
  bool fuse_unk = false;
  bool ignore_merges = false;
  std::string unk_token;  // "" for none
  std::string continuing_subword_prefix;
  std::string end_of_word_suffix;
};

class BpeModel final : public SubwordModel {
 public:
  BpeModel(const Vocabulary& vocabulary, BpeOptions options);
  /// Adds the merge of the next rank. False when left, right or their join is not in the vocabulary.
  bool add_merge(std::string_view left, std::string_view right);
  void reserve_merges(size_t count) { merges_.reserve(count); }
  void encode(std::string_view piece, ModelScratch& scratch, std::vector<int32_t>& out) const override;

 private:
  void encode_cached(std::string_view word, ModelScratch& scratch, std::vector<int32_t>& out) const;
  void encode_word(std::string_view word, ModelScratch& scratch, std::vector<int32_t>& out) const;
  void collect_symbols(std::string_view word, ModelScratch& scratch) const;
  void merge_short(ModelScratch& scratch) const;
  void merge_long(ModelScratch& scratch) const;

  const Vocabulary& vocabulary_;
  const BpeOptions options_;
  PairTable merges_;
  uint32_t next_rank_ = 0;
  std::string joined_;
  int32_t unk_id_ = -1;
  std::array<int32_t, 256> byte_ids_;  // byte-level: of the byte; else of "<0xHH>"; -1 where missing
  bool splits_at_metaspace_ = false;   // no merge crosses from another character to "▁"
};

/// Viterbi over piece scores. Source: Kudo 2018, arXiv:1804.10959.
class UnigramModel final : public SubwordModel {
 public:
  /// `scores` by id. `unk_id` is -1 for none.
  UnigramModel(const Vocabulary& vocabulary, std::vector<double> scores, int32_t unk_id, bool byte_fallback);
  void encode(std::string_view piece, ModelScratch& scratch, std::vector<int32_t>& out) const override;

 private:
  void append_token(std::string_view token, std::vector<int32_t>& out) const;

  const Vocabulary& vocabulary_;
  const std::vector<double> scores_;
  const int32_t unk_id_;
  const bool byte_fallback_;
  double unk_score_ = 0;
  PairTable edges_;                  // (node, byte) -> node
  std::vector<int32_t> id_of_node_;  // -1 where no piece ends
  std::array<int32_t, 256> byte_ids_;
};

class WordLevelModel final : public SubwordModel {
 public:
  WordLevelModel(const Vocabulary& vocabulary, int32_t unk_id) : vocabulary_(vocabulary), unk_id_(unk_id) {}
  void encode(std::string_view piece, ModelScratch& scratch, std::vector<int32_t>& out) const override;

 private:
  const Vocabulary& vocabulary_;
  const int32_t unk_id_;
};

/// Ids of "<0x00>".."<0xFF>", -1 where missing.
std::array<int32_t, 256> find_byte_tokens(const Vocabulary& vocabulary);

}  // namespace seraph::text
