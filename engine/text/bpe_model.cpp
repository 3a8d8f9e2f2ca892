// Byte-pair encoding. A word's symbols are merged lowest rank first, leftmost on ties: by scanning while the word is
// short, with a heap when it is long, so that a megabyte without a space costs O(n log n).
#include <algorithm>
#include <limits>

#include "engine/text/subword_model.h"
#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

constexpr std::string_view kMetaspace = "\xE2\x96\x81";  // U+2581
constexpr size_t kShortSymbolsMax = 48;                  // above this the heap wins over scanning
constexpr size_t kCachedWordMax = 64;                    // bytes; longer words hardly ever repeat
constexpr size_t kCacheSlots = 1 << 14;
constexpr size_t kCacheBytesMax = 1 << 20;
constexpr uint32_t kNoMerge = std::numeric_limits<uint32_t>::max();

bool heap_order(const BpeMergeCandidate& a, const BpeMergeCandidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

}  // namespace

bool Vocabulary::insert(std::string_view piece, int32_t id) {
  const size_t index = static_cast<size_t>(id);
  if (index >= entry_of_id_.size()) entry_of_id_.resize(index + 1, -1);
  if (entry_of_id_[index] >= 0 && this->piece(id) != piece) return false;
  const int32_t before = table_.find(piece);
  if (before >= 0 && before != id) entry_of_id_[static_cast<size_t>(before)] = -1;  // a repeated key: the last counts
  entry_of_id_[index] = static_cast<int32_t>(table_.insert(piece, id));
  return true;
}

void Vocabulary::rename(int32_t id, std::string_view piece) {
  const std::string old(this->piece(id));
  table_.insert(old, -1);
  entry_of_id_[static_cast<size_t>(id)] = -1;
  insert(piece, id);
}

std::array<int32_t, 256> find_byte_tokens(const Vocabulary& vocabulary) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::array<int32_t, 256> ids{};
  for (size_t byte = 0; byte < 256; ++byte) {
    const char name[] = {'<', '0', 'x', kHex[byte >> 4], kHex[byte & 15], '>'};
    ids[byte] = vocabulary.find({name, sizeof(name)});
  }
  return ids;
}

BpeModel::BpeModel(const Vocabulary& vocabulary, BpeOptions options)
    : vocabulary_(vocabulary), options_(std::move(options)) {
  if (!options_.unk_token.empty()) unk_id_ = vocabulary_.find(options_.unk_token);
  if (options_.byte_level) {
    for (size_t byte = 0; byte < 256; ++byte) {
      std::string name;
      append_utf8(name, byte_to_char(static_cast<unsigned char>(byte)));
      byte_ids_[byte] = vocabulary_.find(name);
    }
  } else {
    byte_ids_ = find_byte_tokens(vocabulary_);
  }
  splits_at_metaspace_ = !options_.byte_level && !options_.ignore_merges && options_.end_of_word_suffix.empty() &&
                         options_.continuing_subword_prefix.empty() && vocabulary_.find(kMetaspace) >= 0;
}

bool BpeModel::add_merge(std::string_view left, std::string_view right) {
  const int32_t left_id = vocabulary_.find(left);
  const int32_t right_id = vocabulary_.find(right);
  const size_t prefix = options_.continuing_subword_prefix.size();
  if (left_id < 0 || right_id < 0 || right.size() < prefix) return false;
  joined_.assign(left);
  joined_ += right.substr(prefix);
  const int32_t merged = vocabulary_.find(joined_);
  if (merged < 0) return false;
  if (splits_at_metaspace_ && right.starts_with(kMetaspace) && !left.ends_with(kMetaspace)) {
    splits_at_metaspace_ = false;
  }
  merges_.insert(left_id, right_id, {next_rank_++, merged});
  return true;
}

void BpeModel::encode(std::string_view piece, ModelScratch& scratch, std::vector<int32_t>& out) const {
  if (!splits_at_metaspace_) return encode_cached(piece, scratch, out);
  // Sentencepiece-style models hand over whole paragraphs. When no merge joins another character with a following
  // "▁", the words between are independent, short, and mostly in the cache.
  size_t begin = 0;
  bool after_word = false;
  for (size_t pos = 0; pos < piece.size();) {
    const bool metaspace = piece.compare(pos, kMetaspace.size(), kMetaspace) == 0;
    if (metaspace && after_word) {
      encode_cached(piece.substr(begin, pos - begin), scratch, out);
      begin = pos;
    }
    after_word = !metaspace;
    pos += utf8_length(static_cast<unsigned char>(piece[pos]));
  }
  encode_cached(piece.substr(begin), scratch, out);
}

void BpeModel::encode_cached(std::string_view word, ModelScratch& scratch, std::vector<int32_t>& out) const {
  if (word.size() > kCachedWordMax) return encode_word(word, scratch, out);
  if (scratch.cache.empty()) scratch.cache.resize(kCacheSlots);
  const uint64_t hash = hash_bytes(word);
  ModelScratch::CachedWord& slot = scratch.cache[hash % kCacheSlots];
  if (slot.word_length == word.size() && slot.hash == hash &&
      std::string_view(scratch.cached_words).substr(slot.word_begin, slot.word_length) == word) {
    const auto ids = scratch.cached_ids.begin() + slot.ids_begin;
    out.insert(out.end(), ids, ids + slot.num_ids);
    return;
  }
  const size_t before = out.size();
  encode_word(word, scratch, out);
  if (scratch.cached_words.size() > kCacheBytesMax) {
    scratch.cache.assign(kCacheSlots, {});
    scratch.cached_words.clear();
    scratch.cached_ids.clear();
  }
  slot = {hash, static_cast<uint32_t>(scratch.cached_words.size()), static_cast<uint32_t>(scratch.cached_ids.size()),
          static_cast<uint16_t>(word.size()), static_cast<uint16_t>(out.size() - before)};
  scratch.cached_words += word;
  scratch.cached_ids.insert(scratch.cached_ids.end(), out.begin() + static_cast<ptrdiff_t>(before), out.end());
}

void BpeModel::encode_word(std::string_view word, ModelScratch& scratch, std::vector<int32_t>& out) const {
  if (options_.ignore_merges) {
    const int32_t id = vocabulary_.find(options_.byte_level ? bytes_to_chars(word) : std::string(word));
    if (id >= 0) {
      out.push_back(id);
      return;
    }
  }
  collect_symbols(word, scratch);
  if (scratch.symbols.size() <= kShortSymbolsMax) {
    merge_short(scratch);
  } else {
    merge_long(scratch);
  }
  out.insert(out.end(), scratch.symbols.begin(), scratch.symbols.end());
}

void BpeModel::collect_symbols(std::string_view word, ModelScratch& scratch) const {
  std::vector<int32_t>& symbols = scratch.symbols;
  symbols.clear();
  const bool decorated = !options_.continuing_subword_prefix.empty() || !options_.end_of_word_suffix.empty();
  if (options_.byte_level && !decorated) {
    for (const char byte : word) {
      const int32_t id = byte_ids_[static_cast<unsigned char>(byte)];
      if (id >= 0) {
        symbols.push_back(id);
      } else if (unk_id_ >= 0 && !(options_.fuse_unk && !symbols.empty() && symbols.back() == unk_id_)) {
        symbols.push_back(unk_id_);
      }
    }
    return;
  }
  const std::string mapped = options_.byte_level ? bytes_to_chars(word) : std::string();
  if (options_.byte_level) word = mapped;
  // An unknown run is held back until a known character follows; byte tokens pass it (as the reference library does).
  bool unk_pending = false;
  for (size_t pos = 0, length = 0; pos < word.size(); pos += length) {
    length = utf8_length(static_cast<unsigned char>(word[pos]));
    const std::string_view character = word.substr(pos, length);
    int32_t id;
    if (decorated) {
      scratch.buffer.clear();
      if (pos > 0) scratch.buffer += options_.continuing_subword_prefix;
      scratch.buffer += character;
      if (pos + length == word.size()) scratch.buffer += options_.end_of_word_suffix;
      id = vocabulary_.find(scratch.buffer);
    } else {
      id = vocabulary_.find(character);
    }
    if (id >= 0) {
      if (unk_pending) symbols.push_back(unk_id_);
      unk_pending = false;
      symbols.push_back(id);
      continue;
    }
    const std::string_view bytes = decorated ? std::string_view(scratch.buffer) : character;
    const auto has_byte_token = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)] >= 0; };
    if (options_.byte_fallback && !options_.byte_level && std::all_of(bytes.begin(), bytes.end(), has_byte_token)) {
      for (const char byte : bytes) symbols.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
      continue;
    }
    if (unk_id_ < 0) continue;
    if (unk_pending && !options_.fuse_unk) symbols.push_back(unk_id_);
    unk_pending = true;
  }
  if (unk_pending) symbols.push_back(unk_id_);
}

void BpeModel::merge_short(ModelScratch& scratch) const {
  std::vector<int32_t>& symbols = scratch.symbols;
  std::vector<uint32_t>& ranks = scratch.ranks;
  std::vector<int32_t>& merged = scratch.next;
  size_t count = symbols.size();
  if (count < 2) return;
  ranks.resize(count);
  merged.resize(count);
  const auto look_up = [&](size_t i) {
    const PairTable::Value* merge = i + 1 < count ? merges_.find(symbols[i], symbols[i + 1]) : nullptr;
    ranks[i] = merge != nullptr ? merge->rank : kNoMerge;
    merged[i] = merge != nullptr ? merge->id : -1;
  };
  for (size_t i = 0; i < count; ++i) look_up(i);
  for (;;) {
    const size_t best = static_cast<size_t>(
        std::min_element(ranks.begin(), ranks.begin() + static_cast<ptrdiff_t>(count)) - ranks.begin());
    if (ranks[best] == kNoMerge) break;
    symbols[best] = merged[best];
    const auto drop = [&](auto& list) {
      std::copy(list.begin() + static_cast<ptrdiff_t>(best) + 2, list.begin() + static_cast<ptrdiff_t>(count),
                list.begin() + static_cast<ptrdiff_t>(best) + 1);
    };
    drop(symbols);
    drop(ranks);
    drop(merged);
    --count;
    look_up(best);
    if (best > 0) look_up(best - 1);
  }
  symbols.resize(count);
}

void BpeModel::merge_long(ModelScratch& scratch) const {
  std::vector<int32_t>& symbols = scratch.symbols;
  std::vector<int32_t>& next = scratch.next;
  std::vector<int32_t>& previous = scratch.previous;
  std::vector<BpeMergeCandidate>& heap = scratch.heap;
  const int32_t count = static_cast<int32_t>(symbols.size());
  const auto at = [](std::vector<int32_t>& list, int32_t i) -> int32_t& { return list[static_cast<size_t>(i)]; };
  next.resize(symbols.size());
  previous.resize(symbols.size());
  heap.clear();
  const auto propose = [&](int32_t left) {
    const int32_t right = left >= 0 ? at(next, left) : -1;
    if (right < 0) return false;
    const PairTable::Value* merge = merges_.find(at(symbols, left), at(symbols, right));
    if (merge == nullptr) return false;
    heap.push_back({merge->rank, left, at(symbols, left), at(symbols, right), merge->id});
    return true;
  };
  for (int32_t i = 0; i < count; ++i) {
    at(next, i) = i + 1 < count ? i + 1 : -1;
    at(previous, i) = i - 1;
  }
  for (int32_t i = 0; i < count; ++i) propose(i);
  std::make_heap(heap.begin(), heap.end(), heap_order);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), heap_order);
    const BpeMergeCandidate top = heap.back();
    heap.pop_back();
    const int32_t right = at(next, top.position);
    if (right < 0 || at(symbols, top.position) != top.left || at(symbols, right) != top.right) continue;
    at(symbols, top.position) = top.merged;
    at(symbols, right) = -1;  // consumed: no candidate can name it again
    const int32_t after = at(next, right);
    at(next, top.position) = after;
    if (after >= 0) at(previous, after) = top.position;
    if (propose(top.position)) std::push_heap(heap.begin(), heap.end(), heap_order);
    if (propose(at(previous, top.position))) std::push_heap(heap.begin(), heap.end(), heap_order);
  }
  std::erase(symbols, -1);
}

}  // namespace seraph::text
