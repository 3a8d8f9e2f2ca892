#include "engine/grammar/grammar.h"

#include <algorithm>
#include <unordered_map>

namespace seraph {

size_t CompiledGrammar::bytes() const {
  return sizeof(*this) + rules_.size() * sizeof(Rule) + table_.size() * sizeof(StateId) + accepting_.size() +
         call_rows_.size() * sizeof(uint32_t) + calls_.size() * sizeof(Call) + unique_item_.size();
}

/// The builder's way into the finished object, which nobody else may change.
class GrammarFreezer {
 public:
  using StateId = CompiledGrammar::StateId;
  static std::shared_ptr<const CompiledGrammar> freeze(const std::vector<grammar::RuleBody>& bodies, size_t root,
                                                       const std::vector<bool>& unique_rules, grammar::Budget& budget);

 private:
  using RuleBodies = std::vector<grammar::RuleBody>;
  static void fill_classes(CompiledGrammar& out, const RuleBodies& bodies);
  static void fill_table(CompiledGrammar& out, const RuleBodies& bodies, const std::vector<bool>& unique_rules);
  static void solve_nullable(CompiledGrammar& out);
  static void solve_first(CompiledGrammar& out, const RuleBodies& bodies);
};

namespace grammar {
namespace {

/// Which states can reach the end of their rule, with calls of productive rules only.
class Trimmer {
 public:
  Trimmer(std::vector<RuleBody>& bodies, Budget& budget) : bodies_(bodies), budget_(budget) {}

  /// New numbers of the rules that are kept; -1 for the others. The root is number 0. Empty when it derives nothing.
  std::vector<int32_t> run(RuleId root) {
    find_live();
    if (!productive_[root]) {
      bodies_.assign(1, RuleBody{{RuleBody::State{}}});
      return {};
    }
    std::vector<int32_t> ids(bodies_.size(), -1);
    std::vector<RuleId> order = {root};
    ids[root] = 0;
    for (size_t i = 0; i < order.size(); ++i) trim_body(order[i], ids, order);
    std::vector<RuleBody> kept;
    for (const RuleId rule : order) kept.push_back(std::move(bodies_[rule]));
    bodies_ = std::move(kept);
    return ids;
  }

 private:
  struct Place {
    RuleId rule;
    int32_t state;
  };

  void find_live() {
    live_.resize(bodies_.size());
    productive_.assign(bodies_.size(), false);
    callers_.resize(bodies_.size());
    sources_.resize(bodies_.size());
    std::vector<Place> stack;
    for (size_t r = 0; r < bodies_.size(); ++r) {
      const auto& states = bodies_[r].states;
      live_[r].assign(states.size(), false);
      sources_[r].resize(states.size());
      for (size_t s = 0; s < states.size(); ++s) {
        budget_.spend(1 + static_cast<int64_t>(states[s].edges.size()));
        for (const auto& edge : states[s].edges) sources_[r][edge.to].push_back(static_cast<int32_t>(s));
        for (const auto& call : states[s].calls) {
          callers_[call.rule].push_back({{static_cast<RuleId>(r), static_cast<int32_t>(s)}, call.to});
          call_sources_[place_key(static_cast<RuleId>(r), call.to)].push_back({call.rule, static_cast<int32_t>(s)});
        }
        if (states[s].accepting) mark(static_cast<RuleId>(r), static_cast<int32_t>(s), stack);
      }
    }
    while (!stack.empty()) {
      const Place at = stack.back();
      stack.pop_back();
      budget_.spend(1);
      for (const int32_t source : sources_[at.rule][at.state]) mark(at.rule, source, stack);
      const auto calls = call_sources_.find(place_key(at.rule, at.state));
      if (calls != call_sources_.end()) {
        for (const auto& [callee, source] : calls->second) {
          if (productive_[callee]) mark(at.rule, source, stack);
        }
      }
      if (at.state != 0 || productive_[at.rule]) continue;
      productive_[at.rule] = true;
      for (const auto& [caller, to] : callers_[at.rule]) {
        if (live_[caller.rule][to]) mark(caller.rule, caller.state, stack);
      }
    }
  }

  static uint64_t place_key(RuleId rule, int32_t state) {
    return (static_cast<uint64_t>(rule) << 32) | static_cast<uint32_t>(state);
  }

  void mark(RuleId rule, int32_t state, std::vector<Place>& stack) {
    if (live_[rule][state]) return;
    live_[rule][state] = true;
    stack.push_back({rule, state});
  }

  void trim_body(RuleId rule, std::vector<int32_t>& ids, std::vector<RuleId>& order) {
    RuleBody& body = bodies_[rule];
    std::vector<int32_t> numbers(body.states.size(), -1), states = {0};
    numbers[0] = 0;
    const auto number = [&](int32_t state) {
      if (numbers[state] < 0) {
        numbers[state] = static_cast<int32_t>(states.size());
        states.push_back(state);
      }
      return numbers[state];
    };
    RuleBody out;
    for (size_t i = 0; i < states.size(); ++i) {
      RuleBody::State state = std::move(body.states[states[i]]);
      std::erase_if(state.edges, [&](const auto& edge) { return !live_[rule][edge.to]; });
      std::erase_if(state.calls, [&](const auto& call) { return !productive_[call.rule] || !live_[rule][call.to]; });
      for (auto& edge : state.edges) edge.to = number(edge.to);
      for (auto& call : state.calls) {
        call.to = number(call.to);
        if (ids[call.rule] < 0) {
          ids[call.rule] = static_cast<int32_t>(order.size());
          order.push_back(call.rule);
        }
        call.rule = ids[call.rule];
      }
      out.states.push_back(std::move(state));
    }
    body = std::move(out);
  }

  std::vector<RuleBody>& bodies_;
  Budget& budget_;
  std::vector<std::vector<bool>> live_;
  std::vector<bool> productive_;
  std::vector<std::vector<std::pair<Place, int32_t>>> callers_;  // by rule: who calls it, and where that leads
  std::vector<std::vector<std::vector<int32_t>>> sources_;       // by rule and state: byte edges into it
  std::unordered_map<uint64_t, std::vector<std::pair<RuleId, int32_t>>> call_sources_;
};

}  // namespace

void GrammarBuilder::define_rule(RuleId rule, const ByteNfa& nfa, int32_t start, int32_t accept) {
  bodies_[rule] = determinize_rule(nfa, start, accept, budget_);
}

std::shared_ptr<const CompiledGrammar> GrammarBuilder::finish(RuleId root) {
  const std::vector<int32_t> ids = Trimmer(bodies_, budget_).run(root);
  if (ids.empty()) return GrammarFreezer::freeze(bodies_, 0, {}, budget_);
  std::vector<bool> unique(unique_rules_.empty() ? 0 : bodies_.size());
  for (const RuleId rule : unique_rules_) {
    if (ids[rule] >= 0) unique[ids[rule]] = true;
  }
  return GrammarFreezer::freeze(bodies_, 0, unique, budget_);
}

}  // namespace grammar

void GrammarFreezer::fill_classes(CompiledGrammar& out, const RuleBodies& bodies) {
  std::bitset<257> cuts;
  for (const auto& body : bodies) {
    for (const auto& state : body.states) {
      for (const auto& edge : state.edges) {
        cuts.set(edge.lo);
        cuts.set(edge.hi + 1);
      }
    }
  }
  uint32_t current = 0;
  for (size_t byte = 0; byte < 256; ++byte) {
    if (byte > 0 && cuts[byte]) ++current;
    out.class_of_[byte] = static_cast<uint8_t>(current);
  }
  out.num_classes_ = current + 1;
}

void GrammarFreezer::fill_table(CompiledGrammar& out, const RuleBodies& bodies, const std::vector<bool>& unique_rules) {
  StateId base = 0;
  out.call_rows_.push_back(0);
  if (!unique_rules.empty()) {
    size_t total = 0;
    for (const auto& body : bodies) total += body.states.size();
    out.unique_item_.resize(total);
  }
  for (const auto& body : bodies) {
    out.rules_.push_back({base, false, {}});
    for (const auto& state : body.states) {
      const size_t row = out.table_.size();
      out.table_.resize(row + out.num_classes_, CompiledGrammar::kNoState);
      for (const auto& edge : state.edges) {
        for (uint32_t c = out.class_of_[edge.lo]; c <= out.class_of_[edge.hi]; ++c) {
          out.table_[row + c] = base + static_cast<StateId>(edge.to);
        }
      }
      for (const auto& call : state.calls) {
        const StateId to = base + static_cast<StateId>(call.to);
        if (!unique_rules.empty() && unique_rules[call.rule]) out.unique_item_[to] = 1;
        out.calls_.push_back({static_cast<uint32_t>(call.rule), to});
      }
      out.call_rows_.push_back(static_cast<uint32_t>(out.calls_.size()));
      const bool ends = state.edges.empty() && state.calls.empty();
      out.accepting_.push_back(state.accepting ? (ends ? 2 : 1) : 0);
    }
    base += static_cast<StateId>(body.states.size());
  }
}

void GrammarFreezer::solve_nullable(CompiledGrammar& out) {
  for (bool changed = true; changed;) {
    changed = false;
    for (StateId state = static_cast<StateId>(out.num_states()); state-- > 0;) {
      if (out.accepting(state)) continue;
      for (const auto& call : out.calls(state)) {
        if (out.rules_[call.rule].nullable && out.accepting(call.to)) {
          out.accepting_[state] = 1;
          changed = true;
        }
      }
    }
    for (auto& rule : out.rules_) {
      if (rule.nullable || !out.accepting(rule.start)) continue;
      rule.nullable = true;
      changed = true;
    }
  }
}

void GrammarFreezer::solve_first(CompiledGrammar& out, const RuleBodies& bodies) {
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t r = bodies.size(); r-- > 0;) {
      auto& rule = out.rules_[r];
      std::bitset<256> first = rule.first;
      // The states that the start reaches without a byte, by calls of nullable rules.
      std::vector<StateId> reached = {rule.start};
      for (size_t i = 0; i < reached.size(); ++i) {
        for (const auto& edge : bodies[r].states[reached[i] - rule.start].edges) {
          for (uint32_t byte = edge.lo; byte <= edge.hi; ++byte) first.set(byte);
        }
        for (const auto& call : out.calls(reached[i])) {
          first |= out.rules_[call.rule].first;
          const bool is_new = std::find(reached.begin(), reached.end(), call.to) == reached.end();
          if (out.rules_[call.rule].nullable && is_new) reached.push_back(call.to);
        }
      }
      changed |= first != rule.first;
      rule.first = first;
    }
  }
}

std::shared_ptr<const CompiledGrammar> GrammarFreezer::freeze(const RuleBodies& bodies, size_t root,
                                                              const std::vector<bool>& unique_rules,
                                                              grammar::Budget& budget) {
  auto out = std::make_shared<CompiledGrammar>();
  out->root_ = static_cast<uint32_t>(root);
  fill_classes(*out, bodies);
  int64_t num_states = 0;
  for (const auto& body : bodies) num_states += static_cast<int64_t>(body.states.size());
  budget.check_states(static_cast<size_t>(num_states));
  const int64_t table_bytes = num_states * out->num_classes_ * static_cast<int64_t>(sizeof(StateId));
  if (table_bytes > budget.limits().table_bytes_max) {
    grammar::fail_limit(fmt::format("the constraint is too large: its table would need {} bytes, the limit is {}",
                                    table_bytes, budget.limits().table_bytes_max));
  }
  fill_table(*out, bodies, unique_rules);
  solve_nullable(*out);
  solve_first(*out, bodies);
  const auto& start = bodies[0].states[0];
  out->matches_nothing_ = start.edges.empty() && start.calls.empty() && !start.accepting;
  return out;
}

}  // namespace seraph
