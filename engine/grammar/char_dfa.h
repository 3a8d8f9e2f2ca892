// Regular languages over Unicode characters: a nondeterministic builder, deterministic automata, and their algebra.
// JSON strings, property names, patterns, formats and numbers are all handled here, before anything becomes bytes.
// A CharDfa is partial: a missing transition is a dead end. Pure functions; work is charged to the Budget.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/grammar/char_set.h"
#include "engine/grammar/failure.h"

namespace seraph::grammar {

class CharNfa {
 public:
  int32_t add_state() {
    states_.emplace_back();
    return static_cast<int32_t>(states_.size()) - 1;
  }
  void add_edge(int32_t from, CharSet set, int32_t to) { states_[from].edges.push_back({std::move(set), to}); }
  void add_epsilon(int32_t from, int32_t to) { states_[from].epsilon.push_back(to); }
  void add_begin(int32_t from, int32_t to) { states_[from].begin.push_back(to); }  // taken before the first character
  void add_end(int32_t from, int32_t to) { states_[from].end.push_back(to); }      // taken after the last character

  struct Edge {
    CharSet set;
    int32_t to;
  };
  struct State {
    std::vector<Edge> edges;
    std::vector<int32_t> epsilon, begin, end;
  };
  const std::vector<State>& states() const { return states_; }

 private:
  std::vector<State> states_;
};

class CharDfa {
 public:
  struct Edge {
    uint32_t lo, hi;
    int32_t to;
    friend bool operator==(const Edge&, const Edge&) = default;
  };
  struct State {
    std::vector<Edge> edges;  // sorted, disjoint
    bool accepting = false;
    friend bool operator==(const State&, const State&) = default;
  };
  std::vector<State> states;  // state 0 is the start; empty: the empty language

  bool empty() const { return states.empty(); }
  bool accepts(std::string_view utf8) const;
  /// The state after `character`, -1 when there is none.
  int32_t next(int32_t state, uint32_t character) const;
  friend bool operator==(const CharDfa&, const CharDfa&) = default;
};

CharDfa determinize(const CharNfa& nfa, int32_t start, int32_t accept, Budget& budget);
CharDfa all_strings();
CharDfa complement(const CharDfa& dfa, Budget& budget);
CharDfa intersect(const CharDfa& a, const CharDfa& b, Budget& budget);
/// Exactly these UTF-8 strings.
CharDfa one_of(const std::vector<std::string_view>& texts, Budget& budget);
/// Strings of min to max characters; max -1: no limit.
CharDfa length_between(int64_t min, int64_t max, Budget& budget);
/// Drops states from which nothing is accepted, joins equal ones. The algebra's results are trimmed already.
CharDfa minimized(const CharDfa& dfa, Budget& budget);
/// The texts of a language that is finite and has at most `max` of them; empty when it is not (or has none).
std::vector<std::string> finite_texts(const CharDfa& dfa, size_t max);

/// The characters of UTF-8 text; throws CompileFailure for invalid UTF-8.
std::vector<uint32_t> decode_text(std::string_view utf8);
void append_utf8(std::string& out, uint32_t character);

}  // namespace seraph::grammar
