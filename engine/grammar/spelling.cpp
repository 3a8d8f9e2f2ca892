// Characters as bytes: UTF-8, and the escapes of JSON strings. A range of characters becomes a few sequences of digit
// ranges (base 64 for UTF-8, base 16 for \u escapes), each of which is a path through the automaton.
#include <algorithm>
#include <array>
#include <map>

#include "engine/grammar/byte_nfa.h"

namespace seraph::grammar {
namespace {

struct DigitRange {
  uint32_t lo, hi;
};
using DigitPath = std::vector<DigitRange>;

/// Splits the numbers lo..hi, written with `count` digits, into products of digit ranges.
void split_digits(uint32_t lo, uint32_t hi, int count, uint32_t bits, DigitPath& prefix, std::vector<DigitPath>& out) {
  if (count == 1) {
    prefix.push_back({lo, hi});
    out.push_back(prefix);
    prefix.pop_back();
    return;
  }
  const uint32_t shift = bits * static_cast<uint32_t>(count - 1), rest = (1u << shift) - 1;
  uint32_t first = lo >> shift, last = hi >> shift;
  const auto below = [&](uint32_t digit, uint32_t from, uint32_t to) {
    prefix.push_back({digit, digit});
    split_digits(from, to, count - 1, bits, prefix, out);
    prefix.pop_back();
  };
  if (first == last) return below(first, lo & rest, hi & rest);
  if ((lo & rest) != 0) below(first++, lo & rest, rest);
  const bool cut_last = (hi & rest) != rest;
  if (cut_last) --last;
  if (first <= last) {
    DigitPath path = prefix;
    path.push_back({first, last});
    for (int i = 1; i < count; ++i) path.push_back({0, (1u << bits) - 1});
    out.push_back(std::move(path));
  }
  if (cut_last) below(last + 1, 0, hi & rest);
}

std::vector<DigitPath> digit_paths(uint32_t lo, uint32_t hi, int count, uint32_t bits) {
  std::vector<DigitPath> out;
  DigitPath prefix;
  split_digits(lo, hi, count, bits, prefix, out);
  return out;
}

struct PlainEscape {
  uint32_t character;
  char letter;
  bool necessary;
};
constexpr PlainEscape kPlainEscapes[] = {{'"', '"', true},  {'\\', '\\', true}, {'/', '/', false}, {'\b', 'b', true},
                                         {'\f', 'f', true}, {'\n', 'n', true},  {'\r', 'r', true}, {'\t', 't', true}};

class Speller {
 public:
  Speller(ByteNfa& nfa, Spelling spelling) : nfa_(nfa), spelling_(spelling) {}

  void add(int32_t from, uint32_t lo, uint32_t hi, int32_t to) {
    // Surrogates are no characters.
    if (lo < 0xD800 && hi > 0xD7FF) add_part(from, lo, 0xD7FF, to);
    if (hi < 0xD800 || lo > 0xDFFF) add_part(from, lo, hi, to);
    if (hi > 0xDFFF && lo <= 0xDFFF) add_part(from, 0xE000, hi, to);
  }

 private:
  void add_part(int32_t from, uint32_t lo, uint32_t hi, int32_t to) {
    if (spelling_ == Spelling::kRaw) return add_utf8(from, lo, hi, to);
    if (hi >= 0x20) add_json_raw(from, std::max(lo, 0x20u), hi, to);
    for (const PlainEscape& escape : kPlainEscapes) {
      if (escape.character < lo || escape.character > hi) continue;
      if (!escape.necessary && spelling_ != Spelling::kJsonAny) continue;
      nfa_.add_range(escape_state(from), static_cast<uint8_t>(escape.letter), static_cast<uint8_t>(escape.letter), to);
    }
    if (spelling_ == Spelling::kJsonAny) {
      add_unicode_escapes(from, lo, hi, to);
    } else if (lo < 0x20) {
      add_unicode_escapes(from, lo, std::min(hi, 0x1Fu), to);
    }
  }

  /// Everything from U+0020 on but quote and backslash.
  void add_json_raw(int32_t from, uint32_t lo, uint32_t hi, int32_t to) {
    for (const uint32_t special : {uint32_t{'"'}, uint32_t{'\\'}}) {
      if (lo > special || hi < special) continue;
      if (lo < special) add_utf8(from, lo, special - 1, to);
      lo = special + 1;
    }
    if (lo <= hi) add_utf8(from, lo, hi, to);
  }

  void add_utf8(int32_t from, uint32_t lo, uint32_t hi, int32_t to) {
    if (lo < 0x80) nfa_.add_range(from, static_cast<uint8_t>(lo), static_cast<uint8_t>(std::min(hi, 0x7Fu)), to);
    constexpr std::array<std::array<uint32_t, 4>, 3> kLengths = {
        {{0x80, 0x7FF, 2, 0xC0}, {0x800, 0xFFFF, 3, 0xE0}, {0x10000, kCharMax, 4, 0xF0}}};
    for (const auto& [first, last, count, lead] : kLengths) {
      if (hi < first || lo > last) continue;
      for (const DigitPath& path : digit_paths(std::max(lo, first), std::min(hi, last), static_cast<int>(count), 6)) {
        int32_t state = from;
        for (size_t i = 0; i < path.size(); ++i) {
          const uint32_t base = i == 0 ? lead : 0x80;
          const int32_t next = tail(path, i + 1, 64, to);
          nfa_.add_range(state, static_cast<uint8_t>(base + path[i].lo), static_cast<uint8_t>(base + path[i].hi), next);
          state = next;
          if (shared_) break;
        }
      }
    }
  }

  /// The state after the first `done` digits of a path: a shared one when only full digits follow.
  int32_t tail(const DigitPath& path, size_t done, uint32_t base, int32_t to) {
    shared_ = false;
    if (done == path.size()) return to;
    for (size_t i = done; i < path.size(); ++i) {
      if (path[i].lo != 0 || path[i].hi + 1 != base) return nfa_.add_state();
    }
    shared_ = true;
    return full_tail(path.size() - done, base, to);
  }

  int32_t full_tail(size_t digits, uint32_t base, int32_t to) {
    if (digits == 0) return to;
    const auto [at, added] = tails_.try_emplace({to, static_cast<int32_t>(digits), base}, 0);
    if (!added) return at->second;
    const int32_t state = nfa_.add_state();
    at->second = state;
    const int32_t next = full_tail(digits - 1, base, to);
    if (base == 64) {
      nfa_.add_range(state, 0x80, 0xBF, next);
    } else {
      add_hex(state, {0, 15}, next);
    }
    return state;
  }

  int32_t escape_state(int32_t from) {
    const auto [at, added] = escapes_.try_emplace(from, 0);
    if (added) {
      at->second = nfa_.add_state();
      nfa_.add_range(from, '\\', '\\', at->second);
    }
    return at->second;
  }

  void add_unicode_escapes(int32_t from, uint32_t lo, uint32_t hi, int32_t to) {
    if (lo <= 0xFFFF) add_hex_paths(from, lo, std::min(hi, 0xFFFFu), to);
    if (hi <= 0xFFFF) return;
    // A pair of surrogates: ten bits each.
    for (const DigitPath& path : digit_paths(std::max(lo, 0x10000u) - 0x10000, hi - 0x10000, 2, 10)) {
      const int32_t between = nfa_.add_state();
      add_hex_paths(from, 0xD800 + path[0].lo, 0xD800 + path[0].hi, between);
      add_hex_paths(between, 0xDC00 + path[1].lo, 0xDC00 + path[1].hi, to);
    }
  }

  /// Backslash, u and the four digits of lo..hi.
  void add_hex_paths(int32_t from, uint32_t lo, uint32_t hi, int32_t to) {
    const int32_t begin = escape_state(from);
    const int32_t digits = nfa_.add_state();
    nfa_.add_range(begin, 'u', 'u', digits);
    for (const DigitPath& path : digit_paths(lo, hi, 4, 4)) {
      int32_t state = digits;
      for (size_t i = 0; i < path.size(); ++i) {
        const int32_t next = tail(path, i + 1, 16, to);
        const bool shared = shared_;
        add_hex(state, path[i], next);
        state = next;
        if (shared) break;
      }
    }
  }

  void add_hex(int32_t from, DigitRange digits, int32_t to) {
    const auto put = [&](uint32_t lo, uint32_t hi, char base) {
      nfa_.add_range(from, static_cast<uint8_t>(base + lo), static_cast<uint8_t>(base + hi), to);
    };
    if (digits.lo < 10) put(digits.lo, std::min(digits.hi, 9u), '0');
    if (digits.hi < 10) return;
    const uint32_t lo = std::max(digits.lo, 10u) - 10;
    put(lo, digits.hi - 10, 'a');
    put(lo, digits.hi - 10, 'A');
  }

  ByteNfa& nfa_;
  const Spelling spelling_;
  bool shared_ = false;  // whether tail() returned a state whose way to the end exists already
  std::map<std::array<int64_t, 3>, int32_t> tails_;
  std::map<int32_t, int32_t> escapes_;  // the state after a backslash, by the state before it
};

}  // namespace

int32_t ByteNfa::add_chars(int32_t from, const CharSet& set, Spelling spelling) {
  const int32_t to = add_state();
  Speller speller(*this, spelling);
  for (const CharRange& range : set) speller.add(from, range.lo, range.hi, to);
  return to;
}

int32_t ByteNfa::add_language(int32_t from, const CharDfa& language, Spelling spelling, RuleId any_char_rule) {
  const int32_t end = add_state();
  if (language.empty()) return end;
  Speller speller(*this, spelling);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < language.states.size(); ++i) ids.push_back(add_state());
  add_epsilon(from, ids[0]);
  for (size_t i = 0; i < language.states.size(); ++i) {
    const CharDfa::State& state = language.states[i];
    if (state.accepting) add_epsilon(ids[i], end);
    const bool any = state.edges.size() == 1 && state.edges[0].lo == 0 && state.edges[0].hi == kCharMax;
    if (any && any_char_rule >= 0 && state.edges[0].to != static_cast<int32_t>(i)) {
      const int32_t to = ids[state.edges[0].to];
      add_range(ids[i], 0x20, 0x21, to);
      add_range(ids[i], 0x23, 0x5B, to);
      add_range(ids[i], 0x5D, 0x7F, to);
      add_call(ids[i], any_char_rule, to);
      continue;
    }
    for (const CharDfa::Edge& edge : state.edges) speller.add(ids[i], edge.lo, edge.hi, ids[edge.to]);
  }
  return end;
}

}  // namespace seraph::grammar
