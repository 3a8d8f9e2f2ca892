// Open-addressing hash tables for vocabularies: filled once at load, then read by any number of threads. Keys lie in an
// arena or are integers, so that a 150k-entry vocabulary costs three allocations instead of 150k.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace seraph::text {

inline uint64_t mix_bits(uint64_t x) {
  x ^= x >> 32;
  x *= 0x9E3779B97F4A7C15ULL;
  x ^= x >> 29;
  x *= 0xBF58476D1CE4E5B9ULL;
  return x ^ (x >> 32);
}

/// Not keyed: a crafted vocabulary can only slow down its own server's load.
inline uint64_t hash_bytes(std::string_view bytes) {
  uint64_t hash = 0x2545F4914F6CDD1DULL ^ bytes.size();
  const char* data = bytes.data();
  size_t left = bytes.size();
  while (left >= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    hash = mix_bits(hash ^ word);
    data += 8;
    left -= 8;
  }
  uint64_t tail = 0;
  if (left > 0) std::memcpy(&tail, data, left);
  return mix_bits(hash ^ tail ^ (static_cast<uint64_t>(left) << 56));
}

/// Byte strings numbered from 0, and their way back. Values are up to the caller.
class StringTable {
 public:
  /// Room for `count` strings of `bytes` in all; insert() grows when that was too little.
  void reserve(size_t count, size_t bytes) {
    arena_.reserve(bytes);
    entries_.reserve(count);
    rehash(count);
  }
  /// Adds the string or overwrites its value; its number, by which key() and value() find it.
  size_t insert(std::string_view key, int32_t value) {
    if ((entries_.size() + 1) * 2 > slots_.size()) rehash(entries_.size() * 2 + 16);
    const uint64_t hash = hash_bytes(key);
    size_t at = hash & mask_;
    for (; slots_[at].entry != 0; at = (at + 1) & mask_) {
      if (slots_[at].tag == tag_of(hash) && this->key(slots_[at].entry - 1) == key) {
        entries_[slots_[at].entry - 1].value = value;
        return slots_[at].entry - 1;
      }
    }
    entries_.push_back({arena_.size(), static_cast<uint32_t>(key.size()), value});
    arena_ += key;
    slots_[at] = {static_cast<uint32_t>(entries_.size()), tag_of(hash)};
    return entries_.size() - 1;
  }
  /// The string's value, or -1.
  int32_t find(std::string_view key) const {
    if (slots_.empty()) return -1;
    const uint64_t hash = hash_bytes(key);
    for (size_t at = hash & mask_; slots_[at].entry != 0; at = (at + 1) & mask_) {
      if (slots_[at].tag == tag_of(hash) && this->key(slots_[at].entry - 1) == key) {
        return entries_[slots_[at].entry - 1].value;
      }
    }
    return -1;
  }
  size_t size() const { return entries_.size(); }
  std::string_view key(size_t index) const { return {arena_.data() + entries_[index].begin, entries_[index].length}; }
  int32_t value(size_t index) const { return entries_[index].value; }

 private:
  struct Entry {
    size_t begin;
    uint32_t length;
    int32_t value;
  };
  struct Slot {
    uint32_t entry = 0;  // index + 1; 0 is free
    uint32_t tag = 0;    // upper hash bits, so that most foreign keys are never compared
  };
  static uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }
  void rehash(size_t count) {
    size_t size = 16;
    while (size < count * 2) size *= 2;
    if (size <= slots_.size()) return;
    slots_.assign(size, Slot{});
    mask_ = size - 1;
    for (size_t i = 0; i < entries_.size(); ++i) {
      const uint64_t hash = hash_bytes(key(i));
      size_t at = hash & mask_;
      while (slots_[at].entry != 0) at = (at + 1) & mask_;
      slots_[at] = {static_cast<uint32_t>(i + 1), tag_of(hash)};
    }
  }

  std::string arena_;
  std::vector<Entry> entries_;
  std::vector<Slot> slots_;
  size_t mask_ = 0;
};

/// Pairs of ids to a rank and an id: the merges of a BPE vocabulary, the edges of a trie.
class PairTable {
 public:
  struct Value {
    uint32_t rank;
    int32_t id;
  };
  void reserve(size_t count) {
    size_t size = 16;
    while (size < count * 2) size *= 2;
    if (size > slots_.size()) rehash(size);
  }
  /// Adds the pair or overwrites its value.
  void insert(int32_t left, int32_t right, Value value) {
    if ((count_ + 1) * 2 > slots_.size()) rehash(slots_.empty() ? 16 : slots_.size() * 2);
    const uint64_t key = key_of(left, right);
    size_t at = mix_bits(key) & mask_;
    while (slots_[at].key != kFree && slots_[at].key != key) at = (at + 1) & mask_;
    if (slots_[at].key == kFree) ++count_;
    slots_[at] = {key, value};
  }
  const Value* find(int32_t left, int32_t right) const {
    if (slots_.empty()) return nullptr;
    const uint64_t key = key_of(left, right);
    for (size_t at = mix_bits(key) & mask_; slots_[at].key != kFree; at = (at + 1) & mask_) {
      if (slots_[at].key == key) return &slots_[at].value;
    }
    return nullptr;
  }

 private:
  static constexpr uint64_t kFree = ~0ULL;  // ids are never negative, so no pair has this key
  struct Slot {
    uint64_t key = kFree;
    Value value = {};
  };
  static uint64_t key_of(int32_t left, int32_t right) {
    return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32) | static_cast<uint32_t>(right);
  }
  void rehash(size_t size) {
    std::vector<Slot> old(size);
    old.swap(slots_);
    mask_ = size - 1;
    for (const Slot& slot : old) {
      if (slot.key == kFree) continue;
      size_t at = mix_bits(slot.key) & mask_;
      while (slots_[at].key != kFree) at = (at + 1) & mask_;
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;
  size_t mask_ = 0;
  size_t count_ = 0;
};

}  // namespace seraph::text
