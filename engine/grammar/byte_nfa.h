// The body of one grammar rule while it is built: a nondeterministic automaton over bytes whose edges may also call
// other rules. Deterministic rule bodies come out of determinize_rule.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/grammar/char_dfa.h"
#include "engine/grammar/failure.h"

namespace seraph::grammar {

using RuleId = int32_t;

/// How the characters of a CharDfa are written as bytes.
enum class Spelling {
  kRaw,      // UTF-8
  kJson,     // inside a JSON string, only the necessary escapes
  kJsonAny,  // inside a JSON string, every legal escape
};

class ByteNfa {
 public:
  explicit ByteNfa(Budget& budget) : budget_(budget) {}

  int32_t add_state();
  void add_range(int32_t from, uint8_t lo, uint8_t hi, int32_t to);
  void add_epsilon(int32_t from, int32_t to);
  void add_call(int32_t from, RuleId rule, int32_t to);
  /// The state after the bytes of `text`.
  int32_t add_literal(int32_t from, std::string_view text);
  /// The state after one character of the set.
  int32_t add_chars(int32_t from, const CharSet& set, Spelling spelling);
  /// The state after a text of the language. `any_char_rule` (or -1) spells one character that is not plain ASCII;
  /// states with many successors of that kind call it instead of repeating its body.
  int32_t add_language(int32_t from, const CharDfa& language, Spelling spelling, RuleId any_char_rule);
  /// JSON white space, any amount; loops in place.
  int32_t add_space(int32_t from);

  struct Range {
    int32_t from;
    uint8_t lo, hi;
    int32_t to;
  };
  struct Call {
    int32_t from;
    RuleId rule;
    int32_t to;
  };
  struct Epsilon {
    int32_t from, to;
  };
  int32_t num_states = 0;
  std::vector<Range> ranges;
  std::vector<Call> calls;
  std::vector<Epsilon> epsilons;

 private:
  Budget& budget_;
};

struct RuleBody {
  struct Edge {
    uint8_t lo, hi;
    int32_t to;
  };
  struct Call {
    RuleId rule;
    int32_t to;
  };
  struct State {
    std::vector<Edge> edges;  // sorted, disjoint
    std::vector<Call> calls;  // sorted by rule, each once
    bool accepting = false;
  };
  std::vector<State> states;  // state 0 is the start
};

RuleBody determinize_rule(const ByteNfa& nfa, int32_t start, int32_t accept, Budget& budget);

}  // namespace seraph::grammar
