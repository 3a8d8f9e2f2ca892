// A compiled constraint: a pushdown automaton over bytes. Each rule's body is a deterministic automaton whose states
// may also call other rules; all bodies share one table. Immutable once built and shared by any number of matchers and
// threads. What only depends on (state, vocabulary) is cached in token_masks.h.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/grammar/byte_nfa.h"
#include "engine/grammar/failure.h"

namespace seraph {

class CompiledGrammar {
 public:
  using StateId = uint32_t;
  static constexpr StateId kNoState = 0xFFFFFFFFu;

  struct Call {
    uint32_t rule;
    StateId to;
  };
  struct Rule {
    StateId start = 0;
    bool nullable = false;
    std::bitset<256> first;  // bytes that a text of the rule may begin with
  };

  uint32_t root() const { return root_; }
  const Rule& rule(uint32_t id) const { return rules_[id]; }
  size_t num_rules() const { return rules_.size(); }
  size_t num_states() const { return call_rows_.size() - 1; }
  /// The state after `byte`, kNoState when there is none. Calls are not followed.
  StateId next(StateId state, uint8_t byte) const { return table_[state * num_classes_ + class_of_[byte]]; }
  /// The rule's text may end here.
  bool accepting(StateId state) const { return accepting_[state] != 0; }
  /// Accepting, and nothing can follow.
  bool only_ends(StateId state) const { return accepting_[state] == 2; }
  std::span<const Call> calls(StateId state) const {
    return {calls_.data() + call_rows_[state], calls_.data() + call_rows_[state + 1]};
  }
  bool has_calls(StateId state) const { return call_rows_[state] != call_rows_[state + 1]; }
  /// Arrays whose items must differ: completing the call that leads to this state ends such an item.
  bool ends_unique_item(StateId state) const { return !unique_item_.empty() && unique_item_[state] != 0; }
  bool has_unique_items() const { return !unique_item_.empty(); }
  /// No text satisfies the constraint: a request that asks for it should be refused.
  bool matches_nothing() const { return matches_nothing_; }
  /// Memory that the grammar holds.
  size_t bytes() const;

 private:
  friend class GrammarFreezer;
  std::vector<Rule> rules_;
  uint32_t root_ = 0;
  bool matches_nothing_ = false;
  std::array<uint8_t, 256> class_of_ = {};
  uint32_t num_classes_ = 0;
  std::vector<StateId> table_;       // [state][class]
  std::vector<uint8_t> accepting_;   // by state: 1 the rule's text may end here, 2 it must
  std::vector<uint32_t> call_rows_;  // begin of each state's calls, and one more
  std::vector<Call> calls_;
  std::vector<uint8_t> unique_item_;  // by state; empty when no array of the grammar asks for it
};

namespace grammar {

/// Collects rules and freezes them. One thread.
class GrammarBuilder {
 public:
  explicit GrammarBuilder(Budget& budget) : budget_(budget) {}

  RuleId declare_rule() {
    bodies_.emplace_back();
    return static_cast<RuleId>(bodies_.size()) - 1;
  }
  /// REQUIRES: declared, not yet defined.
  void define_rule(RuleId rule, const ByteNfa& nfa, int32_t start, int32_t accept);
  /// Items that are texts of `rule` must differ from the earlier items of the JSON array around them.
  void mark_unique_item(RuleId rule) { unique_rules_.push_back(rule); }
  Budget& budget() { return budget_; }

  /// Removes what cannot be part of any text. The grammar may be left with no text at all (matches_nothing).
  std::shared_ptr<const CompiledGrammar> finish(RuleId root);

 private:
  Budget& budget_;
  std::vector<RuleBody> bodies_;
  std::vector<RuleId> unique_rules_;
};

}  // namespace grammar
}  // namespace seraph
